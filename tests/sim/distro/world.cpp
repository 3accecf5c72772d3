#include "tests/sim/distro/world.hpp"

#include <algorithm>
#include <set>

namespace muster::sim {

namespace {

using namespace std::chrono_literals;

constexpr milliseconds pace{50};
constexpr milliseconds chaos_time{150'000};
/// Expiry, the longest chain of repairs, and orphans' time.
constexpr milliseconds calm_time{80'000};
constexpr milliseconds down_after{6'000};
/// What a few comparisons take, some of them lost.
constexpr milliseconds repair_time{20'000};

service_key service(std::size_t number) {
  return {"public", "g", "s" + std::to_string(number)};
}

naming::instance_ptr instance_of(std::size_t number) {
  auto i = std::make_shared<naming::instance>();
  i->ip = "10.0.0." + std::to_string(number);
  i->port = 80;
  return i;
}

} // namespace

distro_world::distro_world(std::uint64_t seed) : chance_(seed) {
  faults_.nodes = chance_.between(2, 5);
  faults_.loss = chance_.chance(500'000) ? chance_.between(0, 100'000) : 0;
  faults_.doubled = chance_.chance(500'000) ? 50'000 : 0;
  faults_.delay_max = milliseconds(chance_.between(1, 200));
  faults_.crashes = chance_.chance(700'000);
  faults_.partitions = chance_.chance(500'000);
  faults_.actors_die = chance_.chance(500'000);
  weather_ = std::to_string(faults_.nodes) + " nodes, loss "
             + std::to_string(faults_.loss);
  for (const auto& [is, name] : {std::pair(faults_.crashes, ", crashes"),
                                 {faults_.partitions, ", partitions"},
                                 {faults_.actors_die, ", actors die"}})
    if (is)
      weather_ += name;
  settings_.flush_every = pace;
  places_.resize(faults_.nodes);
  for (auto& p : places_) {
    p.skew = milliseconds(chance_.between(0, 7'200'000));
    p.heard.resize(faults_.nodes);
    p.heard_boot.resize(faults_.nodes);
  }
  for (std::size_t i = 0; i < places_.size(); ++i)
    start(i);
}

void distro_world::fault(std::string what) {
  if (fault_.empty())
    fault_ = "at " + std::to_string((now_ - begin_).count()) + " ms ("
             + weather_ + "): " + std::move(what);
}

// -- nodes --------------------------------------------------------------------

void distro_world::start(std::size_t i) {
  auto& p = places_[i];
  p.boot = next_boot_++;
  p.node = std::make_unique<distro_node>(node_id{i + 1}, p.boot, settings_,
                                         chance_, p.skew);
  p.heard.assign(places_.size(), now_);
  p.heard_boot.assign(places_.size(), 0);
  p.told.clear();
  p.revisions.clear();
  watch_members(i);
  for (auto& c : clients_)
    c->shown[i] = false;
}

void distro_world::stop(std::size_t i) {
  places_[i].node.reset();
  places_[i].back_at = now_ + milliseconds(chance_.between(500, 40'000));
  ++takeovers_;
  for (auto& c : clients_)
    if (c->at == static_cast<int>(i)) {
      c->at = -1;
      c->registered = false;
      c->next = now_ + milliseconds(chance_.between(100, 3'000));
    }
}

bool distro_world::linked(std::size_t a, std::size_t b) const {
  return places_[a].node && places_[b].node
         && (!parted_ || places_[a].side == places_[b].side);
}

/// As the membership does it: probes, and a few failed ones mean down.
void distro_world::watch_members(std::size_t i) {
  auto& p = places_[i];
  std::vector<distro::peer> all;
  for (std::size_t j = 0; j < places_.size(); ++j) {
    if (i == j || linked(i, j)) {
      p.heard[j] = now_;
      p.heard_boot[j] = places_[j].boot;
    }
    const bool down = now_ - p.heard[j] >= down_after;
    all.push_back({node_id{j + 1}, "node" + std::to_string(j), p.heard_boot[j],
                   down, p.heard_boot[j] != 0});
  }
  const auto same = [](const distro::peer& a, const distro::peer& b) {
    return a.boot == b.boot && a.down == b.down;
  };
  if (std::ranges::equal(all, p.told, same))
    return;
  p.told = all;
  p.node->set_members(std::move(all), now_);
}

void distro_world::carry_messages() {
  for (auto& p : places_) {
    if (!p.node)
      continue;
    for (auto& m : p.node->take_messages()) {
      const auto to = static_cast<std::size_t>(m.to.value - 1);
      const auto from = static_cast<std::size_t>(p.node->id().value - 1);
      if (!linked(from, to)) {
        p.node->unsent(m.to, now_);
        continue;
      }
      for (int copies = chance_.chance(faults_.doubled) ? 2 : 1; copies > 0;
           --copies) {
        if (chance_.chance(faults_.loss))
          continue;
        const auto late = milliseconds(chance_.between(
            1, static_cast<std::uint64_t>(faults_.delay_max.count())));
        network_.emplace(now_ + late,
                         packet{p.node->id(), places_[to].boot, m.to, m.body});
      }
    }
  }
}

void distro_world::deliver() {
  while (!network_.empty() && network_.begin()->first <= now_) {
    const auto m = std::move(network_.begin()->second);
    network_.erase(network_.begin());
    const auto to = static_cast<std::size_t>(m.to.value - 1);
    const auto from = static_cast<std::size_t>(m.from.value - 1);
    if (places_[to].node && places_[to].boot == m.to_boot && linked(from, to))
      places_[to].node->receive(m.from, *m.body, now_);
  }
}

void distro_world::break_things() {
  if (now_ >= change_at_ && faults_.partitions) {
    change_at_ = now_ + milliseconds(chance_.between(2'000, 50'000));
    if (parted_)
      note_heal();
    parted_ = !parted_;
    for (auto& p : places_)
      p.side = static_cast<int>(chance_.between(0, 1));
    for (auto& c : clients_) {
      c->side = c->at >= 0 ? places_[static_cast<std::size_t>(c->at)].side
                           : static_cast<int>(chance_.between(0, 1));
      // On the other side nobody can know whether it lives.
      for (std::size_t i = 0; i < places_.size(); ++i)
        if (parted_ && places_[i].side != c->side)
          c->shown[i] = false;
    }
  }
  const auto up = static_cast<std::size_t>(std::ranges::count_if(
      places_, [](auto& p) { return p.node != nullptr; }));
  for (std::size_t i = 0; i < places_.size(); ++i) {
    auto& p = places_[i];
    if (!p.node && now_ >= p.back_at)
      start(i);
    else if (p.node && faults_.crashes && up > 1 && chance_.chance(500)) {
      stop(i);
      return;
    }
    if (!p.node || !faults_.actors_die)
      continue;
    if (chance_.chance(1'000))
      crash_service(i);
    if (chance_.chance(500)) {
      p.node->crash_distro(now_);
      p.revisions.clear();
    }
  }
}

/// Connections tell the successor what the one that died knew.
void distro_world::crash_service(std::size_t i) {
  const auto key = places_[i].node->crash_service(now_);
  for (auto& c : clients_)
    if (c->live && c->at == static_cast<int>(i) && c->service == key)
      places_[i].node->publish_stream(key, c->id, {c->instance}, now_);
}

/// On the other side its beats were not heard; now nodes tell each other.
void distro_world::note_heal() {
  healed_at_ = now_;
  for (auto& c : clients_)
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (places_[i].side != c->side)
        c->unsure_until[i] = now_ + repair_time;
}

void distro_world::heal() {
  if (parted_)
    note_heal();
  parted_ = false;
  faults_.loss = 0;
  faults_.doubled = 0;
  faults_.crashes = faults_.partitions = faults_.actors_die = false;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (!places_[i].node)
      start(i);
}

// -- clients ------------------------------------------------------------------

void distro_world::add_client(bool beats) {
  auto c = std::make_unique<client>();
  const auto number = ++next_id_;
  c->instance = instance_of(number);
  c->service = service(number % 3);
  c->beats = beats;
  if (beats)
    c->id = c->instance->ip + ":80#true";
  c->next = now_;
  c->side = static_cast<int>(chance_.between(0, 1));
  c->shown.resize(places_.size());
  c->unsure_until.resize(places_.size());
  clients_.push_back(std::move(c));
}

int distro_world::some_node(const client& c) {
  std::vector<int> found;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto& p = places_[i];
    if (p.node && p.node->loaded() && (!parted_ || p.side == c.side))
      found.push_back(static_cast<int>(i));
  }
  return found.empty() ? -1 : chance_.pick(found);
}

void distro_world::act(client& c) {
  if (!c.live || c.busy || now_ < c.next)
    return;
  if (c.beats)
    act_beating(c);
  else
    act_connected(c);
}

void distro_world::act_beating(client& c) {
  const auto at = some_node(c);
  c.next = now_ + (at < 0 ? 200ms : 5'000ms);
  if (at < 0)
    return;
  using what = distro::client_call::what;
  distro::client_call call{
      c.registered ? what::beat : what::publish, c.service, c.id, 0, {}};
  if (!c.registered)
    call.instances.push_back(c.instance);
  auto& node = *places_[static_cast<std::size_t>(at)].node;
  c.busy = true;
  c.next = now_ + 3'000ms; // gives up waiting: see step()
  node.request(call, false, now_, [this, &c](const client_reply& r) {
    c.busy = false;
    // An SDK registers anew when it is told to; elsewhere when it is refused.
    c.next = now_ + (r.ok && r.known ? 5'000ms : 0ms);
    c.registered = r.ok && (r.known || !c.registered);
    if (c.registered)
      c.next = now_ + 5'000ms;
  });
}

void distro_world::act_connected(client& c) {
  if (c.at >= 0)
    return;
  c.at = some_node(c);
  if (c.at < 0) {
    c.next = now_ + 200ms;
    return;
  }
  c.id = "conn" + std::to_string(++next_id_);
  c.registered = true;
  places_[static_cast<std::size_t>(c.at)].node->publish_stream(
      c.service, c.id, {c.instance}, now_);
}

void distro_world::end_some_client() {
  auto& c = *chance_.pick(clients_);
  if (!c.live || c.busy)
    return;
  c.live = false;
  c.ended = now_;
  const auto at = c.beats ? some_node(c) : c.at;
  if (at < 0)
    return;
  auto& node = *places_[static_cast<std::size_t>(at)].node;
  using what = distro::client_call::what;
  if (!c.beats)
    node.retract(c.service, c.id, now_);
  else if (chance_.chance(500'000)) // the others just stop beating
    node.request({what::retract, c.service, c.id, 0, {}}, false, now_,
                 [](const client_reply&) {});
}

// -- checks -------------------------------------------------------------------

bool distro_world::shows(const distro_node& n, const client& c,
                         bool healthy) const {
  const auto view = n.view(c.service);
  return view && std::ranges::any_of(view->hosts, [&](const auto& h) {
           return h->shown->ip == c.instance->ip
                  && (h->shown->healthy || !healthy);
         });
}

void distro_world::check_shown() {
  // For a moment after a partition, its health may be what the other side made
  // of its silence.
  const bool sure = now_ >= healed_at_ + repair_time;
  for (auto& c : clients_)
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto& p = places_[i];
      const bool may_know = c->live && p.node && now_ >= c->unsure_until[i]
                            && (!parted_ || p.side == c->side);
      const bool stays = c->shown[i] && may_know && shows(*p.node, *c, sure);
      if (c->shown[i] && may_know && !stays)
        fault("node " + std::to_string(i + 1) + " lost " + c->id + " of "
              + c->service.service);
      c->shown[i] =
          stays || (may_know && p.node->loaded() && shows(*p.node, *c, true));
    }
}

void distro_world::check_revisions() {
  for (auto& p : places_) {
    if (!p.node)
      continue;
    std::map<std::string, naming::origin> now_are;
    p.node->known().each([&](const distro::publication_ptr& each) {
      const auto name = each->service->service + "/" + each->client_id;
      const auto before = p.revisions.find(name);
      if (before != p.revisions.end() && each->from < before->second
          && each->from.owner == before->second.owner)
        fault("a revision of " + name + " went back on node "
              + std::to_string(p.node->id().value));
      now_are[name] = each->from;
    });
    p.revisions = std::move(now_are);
  }
}

void distro_world::check_equal() {
  std::set<std::string> expected;
  for (const auto& c : clients_)
    if (c->live)
      expected.insert(c->service.service + "/" + c->id + " healthy");
  for (const auto& p : places_) {
    std::set<std::string> found;
    for (std::size_t s = 0; s < 3; ++s)
      if (const auto view = p.node->view(service(s)))
        for (const auto& h : view->hosts)
          found.insert(service(s).service + "/" + h->client_id
                       + (h->shown->healthy ? " healthy" : " sick"));
    for (const auto& each : expected)
      if (!found.contains(each))
        fault("node " + std::to_string(p.node->id().value) + " has not "
              + each);
    for (const auto& each : found)
      if (!expected.contains(each))
        fault("node " + std::to_string(p.node->id().value) + " still has "
              + each);
    for (const auto& owner : places_) {
      const naming::node_life life{owner.node->id(), owner.boot};
      if (p.node->known().sums(life) != owner.node->known().sums(life))
        fault("nodes do not agree on what node "
              + std::to_string(life.node.value) + " owns");
    }
    if (p.node->known().size() != expected.size())
      fault("node " + std::to_string(p.node->id().value)
            + " knows what it does not show");
  }
}

// -- run ----------------------------------------------------------------------

void distro_world::step() {
  now_ += pace;
  deliver();
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (places_[i].node) {
      if ((now_.time_since_epoch() / pace) % 10 == static_cast<std::int64_t>(i))
        watch_members(i);
      places_[i].node->step(now_, (now_.time_since_epoch() / pace) % 2 == 0);
    }
  carry_messages();
  for (auto& c : clients_) {
    // Its node died with the request.
    if (c->busy && now_ >= c->next) {
      c->busy = false;
      c->registered = c->registered && c->beats;
    }
    act(*c);
  }
  check_shown();
  check_revisions();
}

std::string distro_world::run() {
  const auto chaos_ends = now_ + chaos_time;
  change_at_ = now_ + 20s;
  for (int i = 0; i < 12; ++i)
    add_client(chance_.chance(600'000));
  while (now_ < chaos_ends && fault_.empty()) {
    if (now_ - begin_ > 15s) {
      break_things();
      if (chance_.chance(5'000))
        end_some_client();
      if (chance_.chance(5'000) && clients_.size() < 40)
        add_client(chance_.chance(600'000));
    }
    step();
  }
  heal();
  const auto calm_ends = now_ + calm_time;
  while (now_ < calm_ends && fault_.empty())
    step();
  if (fault_.empty())
    check_equal();
  return fault_;
}

} // namespace muster::sim
