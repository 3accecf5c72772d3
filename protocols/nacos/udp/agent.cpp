#include "protocols/nacos/udp/agent.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace muster::nacos::udp {

namespace {

using version = std::array<unsigned, 3>;

struct kind {
  std::string_view name;
  version since;
};

/// npm's `nacos` calls itself a Java client.
constexpr std::array kinds{
    kind{"Nacos-Java-Client", {0, 1, 0}},
    kind{"Nacos-DNS", {0, 4, 3}},
    kind{"Nacos-C-Client", {1, 0, 12}},
    kind{"vip-client4cpp", {1, 0, 12}},
    kind{"Nacos-Go-Client", {0, 1, 0}},
    kind{"Nacos-CSharp-Client", {0, 9, 0}},
};

/// `1.4.2`, `1.4`, `1.4.2-SNAPSHOT`; nothing if it does not begin with a
/// number.
std::optional<version> parse_version(std::string_view text) noexcept {
  version v{};
  for (std::size_t i = 0; i < v.size(); ++i) {
    const auto [end, fault] =
        std::from_chars(text.data(), text.data() + text.size(), v[i]);
    if (fault != std::errc{})
      return i == 0 ? std::nullopt : std::optional{v};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.starts_with('.'))
      break;
    text.remove_prefix(1);
  }
  return v;
}

} // namespace

bool takes_pushes(std::string_view user_agent) noexcept {
  const auto known = std::ranges::find_if(
      kinds, [&](const kind& k) { return user_agent.starts_with(k.name); });
  const auto mark = user_agent.find(":v");
  if (known == kinds.end() || mark == std::string_view::npos)
    return false;
  const auto is = parse_version(user_agent.substr(mark + 2));
  return is && *is >= known->since;
}

} // namespace muster::nacos::udp
