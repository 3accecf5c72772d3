// Nodes that are no members any more give their replicas up, and perhaps get
// them anew.
#include <cstdint>

#include "tests/sim/raft/times.hpp"
#include "tests/sim/raft/world.hpp"

namespace muster::sim {

/// Says it up to three times, each of which may come at once or long after,
/// when the node is a member again and others lead.
void world::dismiss(node& n) {
  const auto to = chance_.pick(ids_);
  const auto at = n.core->dismissal(to);
  if (!at)
    return;
  checker_.dismisses(to, *n.core, *at);
  for (auto copies = chance_.between(1, 3); copies > 0; --copies) {
    const auto late = chance_.pick(
        std::vector<std::uint64_t>{0, 0, 0, 500, 2'000, 5'000, 30'000});
    send(n.id, to, dismissal_message{n.id, to, *at}, chance_.between(0, late));
  }
}

void world::receive(node& n, const dismissal_message& d) {
  if (!n.core->may_give_up(d.at))
    return;
  trace(event::left, n.id.value);
  forget(n);
  n.gone = true;
  n.tables = {};
  n.commit_seen = {};
  disks_.at(n.id).begin_give_up(d.at,
                                now_ + chance_.between(0, weather_.sync_ms));
  ++report_.given_up;
}

void world::live_without(node& n) {
  auto& d = disks_.at(n.id);
  d.finish(now_);
  // The tables are flushed some time; a crash before brings them back.
  if (d.given_up && chance_.chance(100'000))
    d.drop_tables();
}

void world::hear(node& n, const letter& l) {
  auto& d = disks_.at(n.id);
  const auto* m = std::get_if<raft::message>(&l);
  if (!m || !d.given_up)
    return;
  // Now and then without a reason: safety does not rest on who calls.
  if (!raft::fsm::calls_back(*m, d.floor) && !chance_.chance(20'000))
    return;
  d.begin_anew();
  n.gone = false;
  start(n);
  ++report_.begun_anew;
  receive(n, l);
}

} // namespace muster::sim
