// What a slow group does to the others.
#include <algorithm>
#include <string>

#include "tests/sim/groups/fleet.hpp"
#include "tests/sim/raft/checker.hpp"

namespace muster::sim {

namespace {

/// reliability.md, S8.
constexpr double slower_max = 1.1;
/// Who is slow to answer is asked again now and then, not all the time.
constexpr double chatter_max = 2;
/// A heartbeat and its answer, of two followers, five times a second; one more
/// of each for where the second begins and ends.
constexpr double idle_messages_max = 2.0 * 2 * (5 + 1);

std::uint64_t at_per_cent(std::vector<std::uint64_t>& values,
                          std::size_t per_cent) {
  if (values.empty())
    return 0;
  const auto nth =
      values.begin()
      + static_cast<std::ptrdiff_t>((values.size() - 1) * per_cent / 100);
  std::ranges::nth_element(values, nth);
  return *nth;
}

double ratio(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

std::string judge(const fleet_report& r, const fleet_figures& slow,
                  const fleet_figures& even) {
  if (slow.writes_us.size() < even.writes_us.size() * 9 / 10)
    return "writes of other groups got lost";
  if (slow.leaders + even.leaders > 0)
    return "a group that nothing happened to changes its leader";
  if (r.ticks_lost > 0)
    return "a tick came too late";
  if (r.idle_messages > idle_messages_max)
    return "an idle group says " + std::to_string(r.idle_messages)
           + " messages a second";
  if (r.chatter > chatter_max)
    return "the slow group says " + std::to_string(r.chatter)
           + " times as much as if it were not slow";
  if (r.slower_p50 > slower_max || r.slower_p99 > slower_max)
    return "writes of other groups take " + std::to_string(r.slower_p50)
           + " times as long (p99: " + std::to_string(r.slower_p99) + ")";
  return {};
}

} // namespace

fleet_settings fleet_of(std::uint64_t seed) {
  random chance(seed ^ 0x666c656574U);
  fleet_settings s;
  s.groups = chance.pick(std::vector<std::size_t>{100, 100, 100, 300, 1'000});
  s.slow_us = chance.pick(
      std::vector<std::uint64_t>{20'000, 50'000, 100'000, 300'000, 1'500'000});
  return s;
}

fleet_report run_fleet(std::uint64_t seed, std::uint64_t ms) {
  const auto beside_slow = fleet_of(seed);
  auto beside_even = beside_slow;
  beside_even.slow_us = 0;
  fleet_report r;
  r.groups = beside_slow.groups;
  r.scene = "  " + std::to_string(beside_slow.groups) + " groups, one slow by "
            + std::to_string(beside_slow.slow_us / 1'000) + " ms\n";
  try {
    auto slow = fleet(seed, beside_slow).measure(ms);
    auto even = fleet(seed, beside_even).measure(ms);
    r.simulated_ms = 2 * ms;
    r.writes = slow.writes_us.size() + even.writes_us.size();
    r.steps = slow.steps + even.steps;
    r.ticks = slow.ticks + even.ticks;
    r.ticks_lost = slow.ticks_lost + even.ticks_lost;
    r.envelopes = slow.envelopes + even.envelopes;
    const auto idle_seconds =
        static_cast<double>(r.groups / 2) * static_cast<double>(ms) / 1'000.0;
    r.idle_messages = static_cast<double>(even.idle_messages) / idle_seconds;
    r.idle_bytes = static_cast<double>(even.idle_bytes) / idle_seconds;
    r.chatter = ratio(slow.first_messages, even.first_messages);
    r.slower_p50 =
        ratio(at_per_cent(slow.writes_us, 50), at_per_cent(even.writes_us, 50));
    r.slower_p99 =
        ratio(at_per_cent(slow.writes_us, 99), at_per_cent(even.writes_us, 99));
    r.violation = judge(r, slow, even);
  } catch (const violation& v) {
    r.violation = v.what;
  }
  return r;
}

void fleet_report::add(const fleet_report& other) {
  groups += other.groups;
  simulated_ms += other.simulated_ms;
  steps += other.steps;
  ticks += other.ticks;
  ticks_lost += other.ticks_lost;
  writes += other.writes;
  envelopes += other.envelopes;
  idle_messages = std::max(idle_messages, other.idle_messages);
  idle_bytes = std::max(idle_bytes, other.idle_bytes);
  chatter = std::max(chatter, other.chatter);
  slower_p50 = std::max(slower_p50, other.slower_p50);
  slower_p99 = std::max(slower_p99, other.slower_p99);
}

void fleet_report::tell(board& line, double seconds) const {
  line.add("simulated_hours", static_cast<double>(simulated_ms) / 3.6e6)
      .add("steps_per_s", static_cast<double>(steps) / seconds)
      .add("groups", groups)
      .add("writes", writes)
      .add("ticks", ticks)
      .add("ticks_lost", ticks_lost)
      .add("envelopes", envelopes)
      .add("idle_group_messages_per_s", idle_messages)
      .add("idle_group_bytes_per_s", idle_bytes)
      .add("slow_group_chatter_max", chatter)
      .add("slower_p50_max", slower_p50)
      .add("slower_p99_max", slower_p99);
}

} // namespace muster::sim
