#include "tests/sim/model/model_run.hpp"

#include <algorithm>
#include <vector>

#include "tests/sim/model/commands.hpp"
#include "tests/sim/model/oracle.hpp"
#include "tests/sim/model/told.hpp"
#include "tests/sim/raft/checker.hpp"
#include "tests/support/map_state.hpp"

namespace muster::sim {

namespace {

using test::map_state;

constexpr std::size_t commands_of_seed = 400;

struct logged {
  log_index index;
  std::string bytes;
  std::string told;
};

/// Zeroes as they can be printed.
std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20; }, '?');
  return text;
}

std::uint64_t hash_of(const map_state& state) {
  std::uint64_t hash = 0;
  const auto mix = [&hash](std::uint64_t value) {
    hash = random(hash ^ value).next();
  };
  for (const auto& [key, value] : state.rows) {
    mix(static_cast<std::uint64_t>(key.first));
    mix(std::hash<std::string>{}(key.second));
    mix(std::hash<std::string>{}(value));
  }
  return hash;
}

/// The rows but those that remember outcomes, which also refusals leave.
using facts = decltype(map_state::rows);
facts facts_of(const map_state& state) {
  auto rows = state.rows;
  std::erase_if(rows, [](const auto& row) {
    return row.first.first == table_id::dedupe;
  });
  return rows;
}

class model_run {
public:
  explicit model_run(std::uint64_t seed)
      : chance_(seed), source_(seed), partition_(seed % 17),
        expected_(partition_) {}

  model_report run() {
    const auto cut = chance_.between(1, commands_of_seed - 1);
    map_state snapshot;
    std::size_t taken_at = 0;
    while (log_.size() < commands_of_seed) {
      if (log_.size() == cut) {
        snapshot = live_;
        taken_at = cut;
      }
      // Entries without a command stand between them.
      index_ = log_index{index_.value + chance_.between(1, 3)};
      apply(source_.next());
    }
    map_state again;
    replay(again, 0, "the log once more");
    replay(snapshot, taken_at, "a snapshot and the rest of the log");
    report_.trace = hash_of(live_);
    return report_;
  }
  /// What was applied last.
  std::string scene() const {
    return "  command " + std::to_string(log_.size()) + " at index "
           + std::to_string(index_.value) + ": " + printable(last_) + "\n";
  }
  const model_report& report() const { return report_; }

private:
  void apply(const pb::Command& c) {
    last_ = c.ShortDebugString();
    const auto expected = expected_.apply(c, index_);
    const auto before = expected.is_refused ? facts_of(live_) : facts{};
    const auto done = model::apply(c, partition_, index_, live_);
    const auto told = tell_applied(done);
    if (told != expected.told)
      throw violation{"told " + printable(told) + " instead of "
                      + printable(expected.told)};
    if (expected.is_refused && facts_of(live_) != before)
      throw violation{"a refused command changes something"};
    const auto differs = first_difference(expected_.tell(), tell_state(live_));
    if (!differs.empty())
      throw violation{printable(differs)};
    ++report_.commands;
    report_.refused += expected.is_refused ? 1 : 0;
    report_.repeated += done.result.index == index_ ? 0 : 1;
    report_.events += done.events.size();
    log_.push_back({index_, c.SerializeAsString(), told});
  }

  /// Parsed anew, so that maps are in another order and nothing is where it
  /// was.
  void replay(map_state& onto, std::size_t from, const char* what) {
    for (auto i = from; i < log_.size(); ++i) {
      pb::Command c;
      if (!c.ParseFromString(log_[i].bytes))
        throw violation{"a command does not parse"};
      const auto done = model::apply(c, partition_, log_[i].index, onto);
      if (tell_applied(done) != log_[i].told)
        throw violation{std::string(what) + " has another outcome"};
      ++report_.replayed;
    }
    if (onto.rows != live_.rows)
      throw violation{std::string(what) + " gives another state"};
  }

  random chance_;
  command_source source_;
  partition_id partition_;
  oracle expected_;
  map_state live_;
  log_index index_;
  std::vector<logged> log_;
  std::string last_;
  model_report report_;
};

} // namespace

model_report run_model(std::uint64_t seed) {
  model_run run(seed);
  try {
    return run.run();
  } catch (const violation& v) {
    auto r = run.report();
    r.violation = v.what;
    r.scene = run.scene();
    return r;
  }
}

void model_report::add(const model_report& other) {
  commands += other.commands;
  refused += other.refused;
  repeated += other.repeated;
  events += other.events;
  replayed += other.replayed;
  trace ^= other.trace;
}

void model_report::tell(board& line, double seconds) const {
  line.add("commands_checked", commands)
      .add("commands_per_s", static_cast<double>(commands) / seconds)
      .add("refused", refused)
      .add("repeated", repeated)
      .add("events", events)
      .add("replayed", replayed)
      .add_trace(trace);
}

} // namespace muster::sim
