#include "tests/sim/script/text.hpp"

#include <charconv>
#include <memory>
#include <sstream>
#include <utility>

#include "actors/core/raft/members.hpp"

namespace muster::sim::script {

namespace {

std::string text_of(std::uint64_t n) {
  return std::to_string(n);
}

std::string list(const std::vector<node_id>& nodes) {
  std::string out;
  for (const auto n : nodes)
    out += (out.empty() ? "" : ",") + text_of(n.value);
  return out;
}

std::vector<node_id> nodes_of(std::string_view text) {
  std::vector<node_id> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    out.emplace_back(number(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

struct shown {
  std::string operator()(const raft::vote_request& v) const {
    return std::string(v.pre ? "pre-vote?" : "vote?") + " last " + show(v.last)
           + (v.forced ? ", forced" : "");
  }
  std::string operator()(const raft::vote_reply& v) const {
    return std::string(v.pre ? "pre-vote" : "vote")
           + (v.granted ? " yes" : " no");
  }
  std::string operator()(const raft::append_request& a) const {
    return "append after " + show(a.previous) + ": " + show(a.entries)
           + ", commit " + text_of(a.commit.value);
  }
  std::string operator()(const raft::append_reply& r) const {
    return r.accepted ? "has " + text_of(r.index.value)
                      : "lacks " + text_of(r.index.value) + ", perhaps has "
                            + show(r.hint);
  }
  std::string operator()(const raft::heartbeat& h) const {
    return "heartbeat commit " + text_of(h.commit.value) + round(h.read_round);
  }
  std::string operator()(const raft::heartbeat_reply& r) const {
    return "alive" + round(r.read_round);
  }
  std::string operator()(const raft::timeout_now&) const { return "lead-now"; }

private:
  static std::string round(std::uint64_t n) {
    return n == 0 ? "" : " round " + text_of(n);
  }
};

std::string_view without_end(std::string_view text) {
  while (text.ends_with(':') || text.ends_with(','))
    text.remove_suffix(1);
  return text;
}

} // namespace

// -- showing ------------------------------------------------------------------

std::string show(const raft::log_position& p) {
  return text_of(p.index.value) + '@' + text_of(p.term.value);
}

std::string show(const raft::configuration& c) {
  return '{' + list(c.voters)
         + (c.outgoing.empty() ? "" : "<-" + list(c.outgoing))
         + (c.learners.empty() ? "" : '~' + list(c.learners)) + '}';
}

std::string show(const raft::entry& e) {
  const auto at = show(raft::log_position{e.term, e.index});
  if (!e.payload)
    return at + '!';
  if (e.kind == raft::entry_kind::no_op)
    return at;
  if (e.kind == raft::entry_kind::command)
    return at + '=' + *e.payload;
  const auto members = raft::decode_configuration(*e.payload);
  return at + (members ? show(*members) : "{?}");
}

std::string show(const std::vector<raft::entry>& entries) {
  std::string out;
  for (const auto& e : entries)
    out += (out.empty() ? "" : " ") + show(e);
  return out.empty() ? "nothing" : out;
}

std::string show(const raft::message& m) {
  return text_of(m.from.value) + "->" + text_of(m.to.value) + " t"
         + text_of(m.term.value) + ' ' + std::visit(shown{}, m.body);
}

std::string kind_of(const raft::message& m) {
  const auto text = std::visit(shown{}, m.body);
  return text.substr(0, text.find(' '));
}

// -- reading ------------------------------------------------------------------

std::vector<std::string> words(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> out;
  for (std::string word; in >> word;)
    out.push_back(word);
  return out;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc{} || at != end)
    throw failure{"no number: " + std::string(text)};
  return out;
}

raft::log_position position(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos)
    throw failure{"no INDEX@TERM: " + std::string(text)};
  return {term_id{number(text.substr(at + 1))},
          log_index{number(text.substr(0, at))}};
}

raft::configuration members(std::string_view text) {
  if (!text.starts_with('{') || !text.ends_with('}'))
    throw failure{"no {members}: " + std::string(text)};
  text = text.substr(1, text.size() - 2);
  raft::configuration out;
  if (const auto at = text.find('~'); at != std::string_view::npos) {
    out.learners = nodes_of(text.substr(at + 1));
    text = text.substr(0, at);
  }
  if (const auto at = text.find("<-"); at != std::string_view::npos) {
    out.outgoing = nodes_of(text.substr(at + 2));
    text = text.substr(0, at);
  }
  out.voters = nodes_of(text);
  return out;
}

raft::entry entry(std::string_view text) {
  const auto made = [](std::string s) {
    return std::make_shared<const std::string>(std::move(s));
  };
  const auto end = std::min(text.find_first_of("={!"), text.size());
  const auto at = position(text.substr(0, end));
  const auto rest = text.substr(end);
  if (rest.empty())
    return {at.term, at.index, raft::entry_kind::no_op, made("")};
  if (rest == "!")
    return {at.term, at.index, raft::entry_kind::command, nullptr};
  if (rest == "{?}")
    return {at.term, at.index, raft::entry_kind::configuration, made("\xff")};
  if (rest.starts_with('{'))
    return {at.term, at.index, raft::entry_kind::configuration,
            raft::encode(members(rest))};
  return {at.term, at.index, raft::entry_kind::command,
          made(std::string(rest.substr(1)))};
}

bool is_link(std::string_view text) {
  return text.find("->") != std::string_view::npos;
}

link link_of(std::string_view text) {
  const auto at = text.find("->");
  if (at == std::string_view::npos)
    throw failure{"no FROM->TO: " + std::string(text)};
  const auto side = [](std::string_view s) {
    return s == "*" ? node_id{} : node_id{number(s)};
  };
  return {side(text.substr(0, at)), side(text.substr(at + 2))};
}

raft::message message_of(const std::vector<std::string>& text) {
  if (text.size() < 3 || !text[1].starts_with('t'))
    throw failure{"no FROM->TO tTERM KIND"};
  const auto way = link_of(text[0]);
  raft::message m{way.from, way.to, term_id{number(text[1].substr(1))}, {}};
  if (text[2] == "lead-now") {
    m.body = raft::timeout_now{};
  } else if (text[2] == "heartbeat" && text.size() == 5) {
    m.body = raft::heartbeat{log_index{number(text[4])}, 0};
  } else if (text[2] == "has" && text.size() == 4) {
    m.body = raft::append_reply{true, log_index{number(text[3])}, {}};
  } else if (text[2] == "vote?" && text.size() == 5) {
    m.body = raft::vote_request{position(text[4])};
  } else if (text[2] == "append" && text.size() >= 8) {
    raft::append_request a{position(without_end(text[4])), {}, {}};
    for (std::size_t i = 5; i + 2 < text.size(); ++i)
      if (text[i] != "nothing,")
        a.entries.push_back(entry(without_end(text[i])));
    a.commit = log_index{number(text.back())};
    m.body = std::move(a);
  } else {
    throw failure{"cannot forge " + text[2]};
  }
  return m;
}

} // namespace muster::sim::script
