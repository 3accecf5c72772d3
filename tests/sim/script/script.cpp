#include "tests/sim/script/script.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/script/group.hpp"

namespace muster::sim::script {

namespace {

using arguments = std::span<const std::string>;

/// What a command's name stands for.
class player {
public:
  /// The lines that came of it.
  std::vector<std::string> run(const std::string& line) {
    auto all = words(line);
    const auto quiet = all.front() == "quietly";
    if (quiet)
      all.erase(all.begin());
    const auto found = all.empty() ? commands.end() : commands.find(all[0]);
    if (found == commands.end())
      throw failure{"no such command"};
    const auto args = arguments(all).subspan(1);
    if (args.size() < found->second.arguments_min)
      throw failure{"more arguments are needed"};
    (this->*found->second.run)(args);
    auto lines = group_.take_lines();
    if (quiet)
      return {};
    if (lines.empty() && found->second.has_effects)
      lines.emplace_back("nothing");
    return lines;
  }

private:
  struct command {
    void (player::*run)(arguments);
    std::size_t arguments_min;
    /// That there are none is worth a line.
    bool has_effects;
  };

  static node_id node(const std::string& word) { return node_id{number(word)}; }

  /// The nodes named, or all.
  std::vector<node_id> nodes(arguments args) const {
    std::vector<node_id> out;
    for (const auto& a : args)
      out.push_back(node(a));
    return out.empty() ? group_.ids() : out;
  }

  static group::choice choice(arguments args) {
    group::choice out;
    for (const auto& a : args) {
      if (is_link(a))
        out.way = link_of(a);
      else if (a == "first")
        out.one = group::which::first;
      else if (a == "last")
        out.one = group::which::last;
      else
        out.kind = a;
    }
    return out;
  }

  // group 1 2 3 [learners 4] [others 5] [in-flight N] [append-bytes N]
  //       [memory-bytes N] [uncommitted N]
  void make_group(arguments args) {
    raft::fsm::settings s;
    std::vector<node_id> others;
    std::string kind = "voters";
    for (const auto& a : args) {
      if (a.find_first_not_of("0123456789") != std::string::npos)
        kind = a;
      else if (kind == "voters")
        s.members.voters.push_back(node(a));
      else if (kind == "learners")
        s.members.learners.push_back(node(a));
      else if (kind == "others")
        others.push_back(node(a));
      else
        set_bound(s, kind, number(a));
    }
    const auto add = [&](node_id id) {
      s.self = id;
      s.seed = id.value;
      group_.add(s);
    };
    std::ranges::for_each(s.members.voters, add);
    std::ranges::for_each(s.members.learners, add);
    s.members = {};
    std::ranges::for_each(others, add);
  }

  static void set_bound(raft::fsm::settings& s, const std::string& which,
                        std::uint64_t value) {
    if (which == "in-flight")
      s.in_flight_max = value;
    else if (which == "append-bytes")
      s.append_bytes_max = value;
    else if (which == "memory-bytes")
      s.memory_bytes_max = value;
    else if (which == "uncommitted")
      s.uncommitted_max = value;
    else
      throw failure{"no such setting: " + which};
  }

  // disk N [term T] [vote V] [snapshot I@T{members}] [applied I] [log T...]
  //        [floor I@T]
  void fill_disk(arguments args) {
    auto& d = group_.disk_of(node(args[0]));
    std::string kind;
    for (const auto& a : args.subspan(1)) {
      if (std::set<std::string>{"term", "vote",  "snapshot", "applied",
                                "log",  "floor"}
              .contains(a))
        kind = a;
      else if (kind == "term")
        d.state.term = term_id{number(a)};
      else if (kind == "vote")
        d.state.vote = node(a);
      else if (kind == "floor")
        d.floor = position(a);
      else if (kind == "snapshot")
        set_snapshot(d, a);
      else if (kind == "applied")
        set_applied(d, log_index{number(a)});
      else
        add_entry(d, a);
    }
  }

  static void set_snapshot(disk& d, const std::string& text) {
    const auto end = std::min(text.find('{'), text.size());
    d.snapshot = {position(text.substr(0, end)), members(text.substr(end))};
    d.tables.applied = d.snapshot.last;
  }

  static void set_applied(disk& d, log_index index) {
    const auto* last = d.find(index);
    if (!last)
      throw failure{"what is applied is in the log; `applied` comes after it"};
    d.tables.applied = {last->term, last->index};
  }

  /// T is a command of that term, T{members} a configuration.
  static void add_entry(disk& d, const std::string& text) {
    const auto end = std::min(text.find('{'), text.size());
    const auto at = d.snapshot.last.index.value + d.log.size() + 1;
    const auto what = end == text.size() ? "=x" : text.substr(end);
    d.log.push_back(
        entry(std::to_string(at) + '@' + text.substr(0, end) + what));
  }

  void start(arguments args) {
    for (const auto id : nodes(args))
      if (!group_.runs(id))
        group_.start(id);
  }
  void crash(arguments args) {
    for (const auto id : nodes(args))
      group_.crash(id);
  }
  void slow(arguments args) {
    for (const auto id : nodes(args))
      group_.set_slow(id, true);
  }
  void fast(arguments args) {
    for (const auto id : nodes(args))
      group_.set_slow(id, false);
  }
  void sync(arguments args) {
    group_.sync(node(args[0]), args.size() > 1 ? number(args[1]) : ~0ULL);
  }
  // tick 1,2 100
  void tick(arguments args) {
    for (const auto id : members('{' + args[0] + '}').voters)
      group_.tick(id, number(args[1]));
  }
  void campaign(arguments args) { group_.campaign(node(args[0])); }
  void propose(arguments args) {
    group_.propose(node(args[0]), {args.begin() + 1, args.end()});
  }
  void change(arguments args) {
    group_.change(node(args[0]), members(args[1]));
  }
  void transfer(arguments args) {
    group_.transfer(node(args[0]), node(args[1]));
  }
  void read(arguments args) { group_.read(node(args[0]), number(args[1])); }
  void compact(arguments args) {
    group_.compact(node(args[0]), log_index{number(args[1])});
  }
  void snapshot(arguments args) {
    const auto way = link_of(args[0]);
    group_.send_snapshot(way.from, way.to);
  }
  void snapshot_over(arguments args) {
    const auto way = link_of(args[0]);
    group_.snapshot_over(way.from, way.to);
  }
  void dismiss(arguments args) {
    group_.dismiss(node(args[0]), node(args[1]));
  }
  void answer(arguments args) {
    const auto way = link_of(args[0]);
    group_.answer_fetch(way.from, way.to,
                        args.size() > 1 && args[1] == "nothing");
  }
  void deliver(arguments args) {
    if (args.empty())
      group_.deliver_all();
    else
      group_.deliver(choice(args));
  }
  void drop(arguments args) { group_.drop(choice(args)); }
  void duplicate(arguments args) { group_.duplicate(choice(args)); }
  void reverse(arguments args) { group_.reverse(choice(args)); }
  void hold(arguments args) { group_.hold(link_of(args[0])); }
  void release(arguments args) { group_.release(link_of(args[0])); }
  void cut(arguments args) {
    if (is_link(args[0])) {
      group_.cut(link_of(args[0]));
      return;
    }
    group_.cut({node(args[0]), {}});
    group_.cut({{}, node(args[0])});
  }
  void heal(arguments) { group_.heal(); }
  void forge(arguments args) {
    group_.forge(message_of({args.begin(), args.end()}));
  }
  void state(arguments args) {
    for (const auto id : nodes(args))
      group_.show_state(id);
  }
  void log(arguments args) {
    for (const auto id : nodes(args))
      group_.show_log(id);
  }

  static const std::map<std::string, command> commands;

  group group_;
};

const std::map<std::string, player::command> player::commands{
    {"group", {&player::make_group, 1, false}},
    {"disk", {&player::fill_disk, 1, false}},
    {"start", {&player::start, 0, false}},
    {"crash", {&player::crash, 1, false}},
    {"slow", {&player::slow, 0, false}},
    {"fast", {&player::fast, 0, false}},
    {"sync", {&player::sync, 1, true}},
    {"tick", {&player::tick, 2, true}},
    {"campaign", {&player::campaign, 1, true}},
    {"propose", {&player::propose, 2, true}},
    {"change", {&player::change, 2, true}},
    {"transfer", {&player::transfer, 2, true}},
    {"read", {&player::read, 2, true}},
    {"compact", {&player::compact, 2, false}},
    {"snapshot", {&player::snapshot, 1, true}},
    {"snapshot-over", {&player::snapshot_over, 1, true}},
    {"dismiss", {&player::dismiss, 2, true}},
    {"answer", {&player::answer, 1, true}},
    {"deliver", {&player::deliver, 0, true}},
    {"drop", {&player::drop, 1, false}},
    {"duplicate", {&player::duplicate, 1, false}},
    {"reverse", {&player::reverse, 1, false}},
    {"hold", {&player::hold, 1, false}},
    {"release", {&player::release, 1, false}},
    {"cut", {&player::cut, 1, false}},
    {"heal", {&player::heal, 0, false}},
    {"forge", {&player::forge, 3, true}},
    {"state", {&player::state, 0, true}},
    {"log", {&player::log, 0, true}},
};

constexpr std::string_view indent = "  ";

std::vector<std::string> lines_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& l : lines)
    out.append(indent).append(l).append("\n");
  return out;
}

/// Names the first line that differs.
std::string compare(const std::string& where, std::size_t line,
                    const std::vector<std::string>& expected,
                    const std::vector<std::string>& got) {
  const auto [e, g] = std::ranges::mismatch(expected, got);
  if (e == expected.end() && g == got.end())
    return {};
  const auto at = line + static_cast<std::size_t>(e - expected.begin()) + 1;
  return where + ':' + std::to_string(at)
         + ":\nexpected: " + (e == expected.end() ? "no more" : *e)
         + "\ngot:      " + (g == got.end() ? "no more" : *g)
         + "\nall that came of the command in line " + std::to_string(line)
         + ":\n" + joined(got);
}

} // namespace

outcome play(std::string_view name, std::string_view text) {
  outcome out;
  player p;
  const std::string where(name);
  const auto lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out.rewritten += lines[i] + '\n';
    if (lines[i].empty() || lines[i][0] == '#')
      continue;
    const auto line = i + 1;
    std::vector<std::string> expected;
    for (; i + 1 < lines.size() && lines[i + 1].starts_with(indent); ++i)
      expected.push_back(lines[i + 1].substr(indent.size()));
    ++out.commands;
    try {
      const auto got = p.run(lines[line - 1]);
      out.rewritten += joined(got);
      if (out.difference.empty())
        out.difference = compare(where, line, expected, got);
    } catch (const failure& f) {
      out.failed = true;
      out.difference = where + ':' + std::to_string(line) + ": "
                       + lines[line - 1] + ": " + f.what;
      return out;
    }
  }
  return out;
}

} // namespace muster::sim::script
