#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/node/settings/settings.hpp"

/// The table of known settings, and how a written name finds its row.
///
/// Sources of names, defaults and meanings: Nacos' and Batata's settings; the
/// order of prefixes and the flattening are Muster's own rule.
namespace muster::keys {

/// What setting a key does.
enum class effect : std::uint8_t {
  effective, ///< obeyed
  accepted,  ///< read without a word: Muster has no counterpart and needs none
  later,     ///< known, but this version does not act on it: a warning says so
  refused,   ///< never obeyed, on purpose: a warning says so
};

/// One known setting, or one family of them.
struct row {
  /// Puts a value into its member; false if it is malformed or out of range.
  using setter = bool (*)(settings&, std::string_view value, const row&);

  /// Dotted names without a product's prefix, separated by '|'; the first is
  /// the one to use. One that ends in ".*" stands for all names below it.
  std::string_view names{};
  effect does = effect::accepted;
  setter set = nullptr; ///< null: the value is not looked at
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  /// For a choice: the values, separated by '|', maybe "value=same as".
  std::string_view choices{};
  /// What a good value is, for the error text: "a number from 1 to 9".
  std::string_view shape{};
  /// `later`: a value that needs no warning, since Muster does just that.
  std::string_view inert{};
  bool hidden = false; ///< the value is a secret: never shown
};

/// All rows. Static, any thread.
std::span<const row> table();

/// A name in the form in which names are compared: without a leading `muster`,
/// `batata` or `nacos`, in lower case, without separators.
/// `NACOS_SERVER_CONTEXT_PATH` and `server.contextPath` are both
/// "servercontextpath".
std::string flatten(std::string_view name);

/// The row of a name as written somewhere, or null. An exact row wins over a
/// family, a longer family over a shorter one.
const row* find(std::string_view name);

/// The name of a row to show to people: `muster.` and its first name.
std::string display_name(const row& key);

/// What is wrong with `value`, or nullopt after it was put into `into`. The
/// text names what would be right, never the value itself.
std::optional<std::string> assign(const row& key, std::string_view value,
                                  settings& into);

} // namespace muster::keys
