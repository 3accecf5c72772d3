#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "muster/command.pb.h"
#include "tests/sim/model/told.hpp"

namespace muster::sim {

/// What commands have to do, written down once more and as simply as it can be
/// (from proto/muster/command.proto and apply.hpp, not from apply's code): maps
/// of names, everything looked for from the beginning. Knows no tables, keys
/// or indexes.
class oracle {
public:
  explicit oracle(partition_id partition) : partition_(partition) {}

  struct verdict {
    std::string told; ///< what `tell_applied` has to say
    bool is_refused;
  };
  verdict apply(const pb::Command& c, log_index index);
  /// What `tell_state` has to say.
  lines tell() const;

private:
  using name = std::tuple<std::string, std::string, std::string>;
  using place = std::tuple<std::string, std::uint32_t, std::string>;

  struct formal_version {
    pb::ConfigPublish last;
    std::string app_name;
    std::string tags;
    std::uint64_t id = 0;
    std::uint64_t created = 0;
    std::uint64_t modified = 0;
  };
  struct gray {
    pb::GrayPublish last;
    std::uint64_t id = 0;
    std::uint64_t created = 0;
    std::uint64_t modified = 0;
  };
  struct config {
    std::optional<formal_version> formal;
    std::map<std::string, gray> grays;
    std::uint64_t revision = 0;
    bool is_there() const { return formal || !grays.empty(); }
  };
  struct past {
    name of;
    std::uint64_t nid;
    std::uint64_t time;
    std::string row; ///< as told
  };
  struct space {
    std::string name;
    std::string description;
    std::uint64_t created;
    std::uint64_t revision;
  };
  struct service {
    std::optional<pb::ServiceRecord> record;
    std::map<place, pb::InstanceRecord> instances;
    std::map<place, pb::OverrideRecord> overrides;
  };
  /// A command's result, before it is told.
  struct result {
    errc code = errc::ok;
    std::uint64_t id = 0;
    bool existed = false;
    std::string event{}; ///< none: empty
  };

  result carry_out(const pb::Command& c);
  result on(const pb::ConfigPublish& p);
  result on(const pb::ConfigRemove& r);
  result on(const pb::GrayPublish& p);
  result on(const pb::GrayRemove& r);
  result on(const pb::HistoryTrim& t);
  result on(const pb::NamespacePut& p);
  result on(const pb::NamespaceRemove& r);
  result on(const pb::ServicePut& p);
  result on(const pb::ServiceRemove& r);
  result on(const pb::InstancePut& p);
  result on(const pb::InstanceRemove& r);
  result on(const pb::OverridePut& p);
  result on(const pb::OverrideRemove& r);
  result on(const pb::EnterCluster& e);
  result on(const pb::MemberAdd& a);
  result on(const pb::MemberChange& c);

  std::uint64_t new_id() const;
  void remember(const name& of, const char* op, const formal_version& v,
                const std::string& user, const std::string& source_ip);
  void remember(const name& of, const char* op, const std::string& gray_name,
                const gray& g, const std::string& user,
                const std::string& source_ip);
  std::string shown(const name& of) const;
  std::string config_event(const name& of, bool content_changed,
                           bool created = false, bool removed = false) const;
  std::string service_event(const name& of, bool removed = false) const;
  lines tell_config(const name& of) const;
  void tell_services(lines& out) const;

  partition_id partition_;
  std::uint64_t index_ = 0; ///< of the command that is carried out
  std::uint64_t time_ = 0;
  std::map<name, config> configs_;
  std::vector<past> history_;
  std::map<std::string, space> spaces_;
  std::map<name, service> services_;
  bool founded_ = false;
  std::string cluster_;
  std::string founders_;
  std::uint64_t cluster_version_ = 0;
  struct cluster_member {
    std::uint64_t node = 0;
    std::string directory{};
    std::string host{};
    bool founder = false;
    int standing = 0; ///< 0 stays, 1 drains, 2 leaves
  };
  std::vector<cluster_member> members_; ///< in the order in which they came
  cluster_member* member_named(std::uint64_t node);
  /// Of named commands, without the events.
  std::map<std::pair<std::uint64_t, std::uint64_t>, verdict> done_;
};

} // namespace muster::sim
