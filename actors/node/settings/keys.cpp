#include "actors/node/settings/keys.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "actors/node/settings/values.hpp"

namespace muster::keys {
namespace {

std::string_view first_name(const row& key) {
  return values::split(key.names, '|').front();
}

/// Lower-case parts of a name, without the product's prefix.
std::vector<std::string> segments(std::string_view name) {
  std::vector<std::string> parts(1);
  for (const char c : values::lower(name)) {
    if (c != '.' && c != '_' && c != '-' && c != '[' && c != ']')
      parts.back() += c;
    else if (!parts.back().empty())
      parts.emplace_back();
  }
  if (parts.back().empty())
    parts.pop_back();
  const bool prefixed
    = parts.size() > 1
      && (parts[0] == "muster" || parts[0] == "batata" || parts[0] == "nacos");
  if (prefixed)
    parts.erase(parts.begin());
  return parts;
}

struct family {
  std::vector<std::string> head;
  const row* key;
};

struct name_index {
  std::unordered_map<std::string, const row*> exact;
  std::vector<family> families; ///< longest head first
};

name_index make_index() {
  name_index index;
  for (const auto& key : table())
    for (auto name : values::split(key.names, '|')) {
      if (name.ends_with(".*"))
        index.families.push_back({segments(name.substr(0, name.size() - 2)),
                                  &key});
      else
        index.exact.emplace(flatten(name), &key);
    }
  std::ranges::stable_sort(index.families, [](const auto& a, const auto& b) {
    return a.head.size() > b.head.size();
  });
  return index;
}

} // namespace

std::string flatten(std::string_view name) {
  std::string flat;
  for (const auto& part : segments(name))
    flat += part;
  return flat;
}

const row* find(std::string_view name) {
  static const name_index index = make_index();
  if (const auto at = index.exact.find(flatten(name)); at != index.exact.end())
    return at->second;
  const auto parts = segments(name);
  for (const auto& [head, key] : index.families)
    if (parts.size() > head.size()
        && std::equal(head.begin(), head.end(), parts.begin()))
      return key;
  return nullptr;
}

std::string display_name(const row& key) {
  return "muster." + std::string(first_name(key));
}

std::optional<std::string> assign(const row& key, std::string_view value,
                                  settings& into) {
  if (key.set == nullptr || key.set(into, value, key))
    return std::nullopt;
  if (!key.choices.empty()) {
    std::string wanted = "one of";
    for (auto choice : values::split(key.choices, '|'))
      wanted += " " + std::string(choice.substr(0, choice.find('=')));
    return wanted;
  }
  std::string wanted(key.shape);
  if (key.high != 0)
    wanted += " from " + std::to_string(key.low) + " to "
              + std::to_string(key.high);
  return wanted;
}

} // namespace muster::keys
