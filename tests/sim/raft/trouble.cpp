// What goes wrong around a simulated group, and what its clients do.
#include <memory>
#include <string>

#include "tests/sim/raft/times.hpp"
#include "tests/sim/raft/world.hpp"

namespace muster::sim {

namespace {

/// How often leaders are told who is to lead.
constexpr std::uint64_t place_ms = 1'000;

/// Between two episodes; longer than anybody waits before it wants to lead.
constexpr std::uint64_t rest_ms = 3'000;

} // namespace

// -- trouble and use ----------------------------------------------------------

void world::trouble(std::uint64_t ms) {
  const auto judged = [this] { return !outages_ || outages_->rests(now_, 0); };
  for (const auto end = now_ + ms; now_ < end || !judged();) {
    make_trouble();
    use_group();
    step();
  }
}

void world::make_trouble() {
  auto& n = nodes_.at(chance_.pick(ids_));
  if ((n.core || n.gone) && chance_.chance(weather_.crash))
    crash(n);
  if ((n.core || n.gone) && chance_.chance(weather_.pause))
    n.paused_until = n.leads_since = now_ + chance_.between(50, 5'000);
  break_links();
}

void world::break_links() {
  const auto* leader = some_leader();
  const battlefield at{now_, ids_, leader ? leader->id : node_id{}};
  if (!adversary_) {
    const auto begins = outages_ ? outages_->rests(now_, rest_ms)
                                 : chance_.chance(weather_.cut);
    if (!begins)
      return;
    adversary_ = make_adversary(weather_.adversary, at, chance_);
    using clients = outages::clients;
    if (outages_)
      outages_->begins(now_, weather_.quiet ? clients::quiet
                             : adversary_->leaves_majority()
                                 ? clients::served
                                 : clients::hopeful);
  }
  adversary_->act(at, links_, chance_);
  if (adversary_->is_over(now_))
    mend_links();
}

void world::mend_links() {
  if (outages_ && adversary_)
    outages_->heals(now_, adversary_->blows());
  links_.restore_all();
  adversary_.reset();
}

world::node* world::some_leader() {
  node* found = nullptr;
  for (auto& [_, n] : nodes_)
    if (n.core && n.core->current_role() == raft::role::leader
        && (!found || n.core->term() > found->core->term()))
      found = &n;
  return found;
}

/// Clients that look for whoever leads, and find everybody who thinks so.
void world::write_steadily() {
  if (now_ % tick_ms != 0 || outages_->is_quiet())
    return;
  for (auto& [_, n] : nodes_)
    if (runs(n) && n.core->current_role() == raft::role::leader) {
      static_cast<void>(take_command(n));
      drain(n);
    }
}

/// As `runtime/placement` does, which sees others than the leaders do.
void world::place_leaders() {
  const auto to = adversary_ ? adversary_->wanted_leader() : node_id{};
  if (to.value == 0 || now_ % place_ms != 0)
    return;
  for (auto& [_, n] : nodes_)
    if (runs(n) && n.core->current_role() == raft::role::leader) {
      static_cast<void>(n.core->transfer(to));
      drain(n);
    }
}

void world::use_group() {
  place_leaders();
  if (outages_) {
    write_steadily();
    outages_->look(now_);
  }
  auto& n = nodes_.at(chance_.pick(ids_));
  if (!runs(n))
    return;
  if (chance_.chance(weather_.propose))
    propose(n);
  if (chance_.chance(weather_.read))
    read(n);
  if (chance_.chance(weather_.change))
    change(n);
  if (chance_.chance(weather_.transfer))
    static_cast<void>(n.core->transfer(chance_.pick(ids_)));
  if (chance_.chance(weather_.compact))
    compact(n);
  // No draw where nobody is dismissed: what seeds bring there stays as it is.
  if (weather_.dismiss > 0 && chance_.chance(weather_.dismiss))
    dismiss(n);
  drain(n);
}

void world::propose(node& n) {
  for (auto left = chance_.between(1, 6); left > 0; --left)
    static_cast<void>(take_command(n));
}

bool world::take_command(node& n) {
  const auto id = ++next_id_;
  const auto at =
      n.core->propose(std::make_shared<const std::string>(std::to_string(id)));
  if (at)
    n.clients[at->index] = {at->term, id, now_};
  else
    checker_.refused(id);
  return at.has_value();
}

void world::read(node& n) {
  const auto context = ++next_read_;
  const auto floor = checker_.read_floor();
  if (n.core->read_index(context))
    n.reads[context] = floor;
}

void world::change(node& n) {
  raft::configuration target;
  for (const auto id : ids_) {
    const auto kind = chance_.between(0, 9);
    if (kind < 6)
      target.voters.push_back(id);
    else if (kind < 8)
      target.learners.push_back(id);
  }
  if (n.core->change_members(target))
    ++report_.changes;
}

void world::compact(node& n) {
  auto& d = disks_.at(n.id);
  d.tables = n.tables;
  const auto applied = n.tables.applied.index;
  const auto keep = chance_.between(0, 20);
  if (applied.value <= d.snapshot.last.index.value + keep)
    return;
  const log_index upto{applied.value - keep};
  const raft::snapshot_meta meta{{*n.core->term_at(upto), upto},
                                 n.core->members_at(upto)};
  checker_.describes(n.id, meta);
  d.compact(meta);
  n.core->compacted(upto);
}

weather weather_of(std::uint64_t seed) {
  random chance(seed ^ 0x6d75737465720000U);
  const auto some = [&](std::uint64_t little, std::uint64_t much) {
    const auto kind = chance.between(0, 2);
    return kind == 0 ? 0 : kind == 1 ? little : much;
  };
  weather w;
  w.nodes = chance.between(1, 7);
  w.voters = chance.between(1, w.nodes);
  w.loss = some(10'000, 150'000);
  w.twice = some(10'000, 100'000);
  w.delay_ms = chance.pick(std::vector<std::uint64_t>{2, 20, 100, 400});
  w.sync_ms = chance.pick(std::vector<std::uint64_t>{1, 10, 100, 600});
  w.crash = some(500, 5'000);
  w.pause = some(500, 5'000);
  w.cut = some(500, 4'000);
  w.change = some(2'000, 30'000);
  w.transfer = some(1'000, 10'000);
  w.compact = some(3'000, 60'000);
  w.propose = chance.pick(std::vector<std::uint64_t>{20'000, 100'000, 500'000});
  w.read = some(20'000, 200'000);
  w.drift = some(20, 200);
  using enum adversary_kind;
  w.adversary = chance.pick(
      std::vector{torn, torn, torn, swizzle, rolling, bridge, flapping, deaf});
  w.dismiss = some(20'000, 200'000);
  return w;
}

weather departures(std::uint64_t seed) {
  random chance(seed ^ 0x646570617274U);
  const auto one_of = [&](std::vector<std::uint64_t> values) {
    return chance.pick(values);
  };
  weather w;
  w.nodes = chance.between(4, 6);
  w.voters = chance.between(2, 3);
  w.loss = one_of({0, 10'000, 50'000});
  w.twice = one_of({0, 10'000});
  w.delay_ms = one_of({2, 20, 100});
  w.sync_ms = one_of({1, 10, 100});
  w.crash = one_of({500, 2'000});
  w.pause = one_of({0, 2'000, 4'000});
  w.cut = one_of({2'000, 4'000, 10'000});
  w.change = one_of({10'000, 30'000});
  w.transfer = one_of({0, 1'000});
  w.dismiss = 200'000;
  w.compact = one_of({0, 3'000});
  w.propose = one_of({20'000, 100'000});
  w.read = 20'000;
  return w;
}

weather adversity(adversary_kind kind, std::uint64_t seed) {
  random chance(seed ^ 0x616476657273U);
  const auto one_of = [&](std::vector<std::uint64_t> values) {
    return chance.pick(values);
  };
  weather w;
  w.nodes = w.voters = one_of({3, 5, 7});
  w.loss = one_of({0, 0, 10'000});
  w.twice = one_of({0, 10'000});
  w.delay_ms = one_of({2, 20, 100});
  w.sync_ms = one_of({1, 10, 100});
  w.compact = one_of({0, 3'000});
  w.read = 20'000;
  w.drift = one_of({0, 20});
  w.adversary = kind;
  w.watched = true;
  w.quiet = chance.chance(300'000);
  return w;
}

} // namespace muster::sim
