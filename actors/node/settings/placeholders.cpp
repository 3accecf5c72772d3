#include <algorithm>
#include <unordered_map>

#include "actors/node/settings/keys.hpp"
#include "actors/node/settings/source.hpp"

namespace muster::source {
namespace {

constexpr int depth_max = 16;
constexpr std::size_t value_bytes_max = 1024 * 1024;

/// Position of the brace that closes the one before `from`, or npos.
std::size_t closing_brace(std::string_view text, std::size_t from) {
  int open = 1;
  for (auto at = from; at < text.size(); ++at) {
    if (text.substr(at, 2) == "${")
      ++open;
    else if (text[at] == '}' && --open == 0)
      return at;
  }
  return std::string_view::npos;
}

/// Knows all names that a placeholder may mean.
class expander {
public:
  expander(const entries& all, const process_environment& variables) {
    for (const auto& [name, value] : variables)
      variables_.emplace(name, value);
    for (const auto& each : all)
      keys_.insert_or_assign(keys::flatten(each.key), each.value);
  }

  result<std::string> expand(std::string_view text, int depth) const {
    std::string out;
    for (;;) {
      const auto open = text.find("${");
      out += text.substr(0, open);
      if (out.size() > value_bytes_max)
        return fail(errc::invalid_argument, "placeholders grow too large");
      if (open == text.npos)
        return out;
      const auto close = closing_brace(text, open + 2);
      if (close == text.npos)
        return fail(errc::invalid_argument, "'${' without '}'");
      auto value = replace(text.substr(open + 2, close - open - 2), depth);
      if (!value)
        return value;
      out += *value;
      text.remove_prefix(close + 1);
    }
  }

private:
  /// `body` is what stands between the braces.
  result<std::string> replace(std::string_view body, int depth) const {
    const auto colon = body.find(':');
    const std::string name(body.substr(0, colon));
    if (depth == depth_max)
      return fail(errc::invalid_argument,
                  "placeholder ${" + name + "} needs itself");
    // A variable that is set but empty counts as not set, as the scripts of
    // Nacos' Docker image have it.
    if (const auto at = variables_.find(name);
        at != variables_.end() && !at->second.empty())
      return at->second;
    if (const auto at = keys_.find(keys::flatten(name)); at != keys_.end())
      return expand(at->second, depth + 1);
    if (colon != body.npos)
      return expand(body.substr(colon + 1), depth + 1);
    return fail(errc::invalid_argument,
                "placeholder ${" + name + "} is set nowhere");
  }

  std::unordered_map<std::string, std::string> variables_;
  std::unordered_map<std::string, std::string> keys_;
};

} // namespace

void expand_placeholders(entries& all, const process_environment& variables) {
  const auto has = [](const entry& each) {
    return each.value.find("${") != std::string::npos;
  };
  if (std::ranges::none_of(all, has))
    return;
  const expander names(all, variables);
  for (auto& each : all) {
    if (!has(each))
      continue;
    auto value = names.expand(each.value, 0);
    if (value)
      each.value = std::move(*value);
    else
      each.problem = value.error().message;
  }
}

} // namespace muster::source
