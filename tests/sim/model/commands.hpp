#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muster/command.pb.h"
#include "tests/sim/raft/random.hpp"

namespace muster::sim {

/// Names that commands are about: few, so that they meet, and some that begin
/// like others or hold a zero, so that keys could be mixed up.
struct model_names {
  std::vector<std::string> spaces{"public", "s"};
  std::vector<std::string> groups{"g", std::string("g\0", 2)};
  std::vector<std::string> names{"a", std::string("a\0", 2), "ab", "\xC3\xA4"};
};

/// Commands of all kinds by chance.
class command_source {
public:
  explicit command_source(std::uint64_t seed) : chance_(seed) {}

  /// Now and then one from before once more, as a client repeats what it got no
  /// answer for.
  pb::Command next();

private:
  std::uint64_t below(std::uint64_t n) { return chance_.next() % n; }
  const std::string& one_of(const std::vector<std::string>& all) {
    return chance_.pick(all);
  }
  std::string word();
  std::string ip();
  template <class Key>
  void name(Key& key);
  template <class Map>
  void fill(Map& map);
  void config_publish(pb::Command& c);
  void config_remove(pb::Command& c);
  void gray_publish(pb::Command& c);
  void gray_remove(pb::Command& c);
  void history_trim(pb::Command& c);
  void namespace_put(pb::Command& c);
  void namespace_remove(pb::Command& c);
  void enter_cluster(pb::Command& c);
  void member_add(pb::Command& c);
  void member_change(pb::Command& c);
  void service_put(pb::Command& c);
  void service_remove(pb::Command& c);
  void instance_put(pb::Command& c);
  void instance_remove(pb::Command& c);
  void override_put(pb::Command& c);
  void override_remove(pb::Command& c);
  /// One of a later version.
  void nothing_known(pb::Command& c);
  template <class Part>
  void place(Part& part);
  template <class Part>
  void sign(Part& part);

  random chance_;
  model_names names_;
  std::uint64_t time_ms_ = 1'000;
  std::uint64_t sequence_ = 0;
  std::vector<pb::Command> named_;
};

} // namespace muster::sim
