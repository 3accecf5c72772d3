#include "tools/history/lines.hpp"

#include <array>
#include <cstdio>
#include <utility>

#include <boost/json.hpp>

namespace muster::history {

namespace {

namespace json = boost::json;

constexpr std::array<std::pair<std::string_view, action>, 5> actions{{
    {"publish", action::publish},
    {"cas", action::compare_and_set},
    {"delete", action::remove},
    {"read", action::read},
    {"local_read", action::local_read},
}};

constexpr std::array<std::pair<std::string_view, fate>, 3> fates{{
    {"ok", fate::ok},
    {"failed", fate::failed},
    {"unknown", fate::unknown},
}};

/// Ends the reading of one line.
struct bad_line {
  std::string why;
};

const json::value& member(const json::object& from, std::string_view name) {
  const auto* found = from.if_contains(name);
  if (!found)
    throw bad_line{"no " + std::string{name}};
  return *found;
}

std::string text(const json::object& from, std::string_view name) {
  const auto* found = member(from, name).if_string();
  if (!found)
    throw bad_line{std::string{name} + " is not a string"};
  return {found->begin(), found->end()};
}

std::int64_t moment(const json::object& from, std::string_view name) {
  const auto* found = member(from, name).if_int64();
  if (!found)
    throw bad_line{std::string{name} + " is not a number of nanoseconds"};
  return *found;
}

template <class Table>
auto word(const Table& table, const json::object& from, std::string_view name) {
  const auto wanted = text(from, name);
  for (const auto& [known, value] : table)
    if (known == wanted)
      return value;
  throw bad_line{std::string{name} + " is " + wanted};
}

/// What was stored or seen: the members that this kind of operation has.
void read_contents(operation& o, const json::object& from) {
  switch (o.what) {
  case action::publish:
    o.content = text(from, "input");
    return;
  case action::compare_and_set: {
    const auto* input = member(from, "input").if_object();
    if (!input)
      throw bad_line{"input is not an object"};
    o.expected = text(*input, "expected");
    o.content = text(*input, "content");
    if (o.outcome != fate::ok)
      return;
    const auto* swapped = member(from, "output").if_bool();
    if (!swapped)
      throw bad_line{"output is neither true nor false"};
    o.swapped = *swapped;
    return;
  }
  case action::remove:
    return;
  case action::read:
  case action::local_read:
    if (o.outcome == fate::ok && !member(from, "output").is_null())
      o.content = text(from, "output");
  }
}

operation to_operation(const json::object& from) {
  operation o;
  o.client = text(from, "client");
  o.node = text(from, "node");
  o.key = text(from, "key");
  o.what = word(actions, from, "operation");
  o.outcome = word(fates, from, "outcome");
  o.invoked = moment(from, "invoke");
  if (o.outcome != fate::unknown)
    o.returned = moment(from, "return");
  if (o.returned < o.invoked)
    throw bad_line{"it returned before it was invoked"};
  read_contents(o, from);
  return o;
}

std::string shown(const std::optional<std::string>& content) {
  constexpr std::size_t shown_max = 40;
  if (!content)
    return "nothing";
  return content->size() <= shown_max ? *content
                                      : content->substr(0, shown_max) + "...";
}

std::string what_of(const operation& o) {
  const auto asked = o.node;
  const auto known = o.outcome == fate::unknown  ? " (unknown)"
                     : o.outcome == fate::failed ? " (failed)"
                                                 : "";
  switch (o.what) {
  case action::publish:
    return "publish " + shown(o.content) + " at " + asked + known;
  case action::compare_and_set:
    return "cas " + shown(o.expected) + " -> " + shown(o.content) + " at "
           + asked
           + (o.outcome != fate::ok ? known
              : o.swapped           ? ""
                                    : ": refused");
  case action::remove:
    return "delete at " + asked + known;
  case action::read:
    return "read at " + asked + ": " + shown(o.content);
  case action::local_read:
    return "local read at " + asked + ": " + shown(o.content);
  }
  return {};
}

} // namespace

result<operation> parse_line(std::string_view text) {
  boost::system::error_code failed;
  const auto value = json::parse({text.data(), text.size()}, failed);
  if (failed || !value.is_object())
    return fail(errc::invalid_argument, "not a JSON object");
  try {
    return to_operation(value.get_object());
  } catch (const bad_line& bad) {
    return fail(errc::invalid_argument, bad.why);
  }
}

result<void> read_lines(std::istream& from, by_key& out) {
  std::string text;
  for (std::size_t line = 1; std::getline(from, text); ++line) {
    auto parsed = parse_line(text);
    if (!parsed)
      return fail(parsed.error().code, "line " + std::to_string(line) + ": "
                                           + parsed.error().message);
    parsed->line = line;
    auto& of_key = out[parsed->key];
    of_key.push_back(std::move(*parsed));
  }
  return {};
}

std::string tell(const operation& o, std::int64_t start) {
  const auto ms = [start](std::int64_t at) {
    return static_cast<double>(at - start) / 1e6;
  };
  std::array<char, 64> times{};
  if (o.returned == never)
    std::snprintf(times.data(), times.size(), "%10.3f ..       -  ",
                  ms(o.invoked));
  else
    std::snprintf(times.data(), times.size(), "%10.3f .. %10.3f ms",
                  ms(o.invoked), ms(o.returned));
  return times.data() + ("  " + o.client + ": " + what_of(o)) + "  (line "
         + std::to_string(o.line) + ')';
}

} // namespace muster::history
