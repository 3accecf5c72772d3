#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Patterns over names, for watching which names exist.
namespace muster::watch {

/// A pattern over one text: `x` exact, `*` all, `x*`, `*x` and `*x*`. A star
/// anywhere else never matches (Nacos 3, fuzzy watch). Immutable, any thread.
class item_pattern {
public:
  explicit item_pattern(std::string_view text);

  bool matches(std::string_view text) const;

private:
  enum class form : std::uint8_t { exact, prefix, suffix, contained, never };
  form form_ = form::exact;
  std::string rest_;
};

/// A pattern over (group, name).
struct name_pattern {
  item_pattern group;
  item_pattern name;

  bool matches(std::string_view in_group, std::string_view with_name) const {
    return group.matches(in_group) && name.matches(with_name);
  }
};

} // namespace muster::watch
