#pragma once

#include <string>
#include <utility>

#include "actors/core/model/apply.hpp"
#include "actors/core/model/tables.hpp"

/// Shared by the apply_*.cpp files only: one command on its way into the
/// tables.
namespace muster::model {

/// Where and when a command is applied. Lives during one `apply`.
struct apply_step {
  std::uint64_t time_ms;
  partition_id partition;
  log_index index;
  state_writer& state;

  std::uint64_t new_id() const { return make_id(partition, index); }

  applied done(std::uint64_t id, bool existed) const {
    applied out;
    out.result.index = index;
    out.result.id = id;
    out.result.existed = existed;
    return out;
  }

  applied refuse(errc code, std::string message) const {
    applied out;
    out.result.code = code;
    out.result.message = std::move(message);
    out.result.index = index;
    return out;
  }

  template <class What>
  void tell(applied& out, What what) const {
    out.events.push_back(event{partition, index, std::move(what)});
  }
};

applied apply_to(const apply_step& step, const pb::ConfigPublish& command);
applied apply_to(const apply_step& step, const pb::ConfigRemove& command);
applied apply_to(const apply_step& step, const pb::GrayPublish& command);
applied apply_to(const apply_step& step, const pb::GrayRemove& command);
applied apply_to(const apply_step& step, const pb::HistoryTrim& command);
applied apply_to(const apply_step& step, const pb::NamespacePut& command);
applied apply_to(const apply_step& step, const pb::NamespaceRemove& command);
applied apply_to(const apply_step& step, const pb::ServicePut& command);
applied apply_to(const apply_step& step, const pb::ServiceRemove& command);
applied apply_to(const apply_step& step, const pb::InstancePut& command);
applied apply_to(const apply_step& step, const pb::InstanceRemove& command);
applied apply_to(const apply_step& step, const pb::OverridePut& command);
applied apply_to(const apply_step& step, const pb::OverrideRemove& command);
applied apply_to(const apply_step& step, const pb::EnterCluster& command);
applied apply_to(const apply_step& step, const pb::MemberAdd& command);
applied apply_to(const apply_step& step, const pb::MemberChange& command);

} // namespace muster::model
