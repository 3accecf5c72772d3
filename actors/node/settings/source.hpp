#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/result.hpp"
#include "actors/node/settings/settings.hpp"

/// The places settings come from, each turned into the same list of entries.
namespace muster::source {

/// One key with its value, as somebody wrote it.
struct entry {
  std::string key;
  std::string value;
  /// Where: "conf/application.yml:12", "environment", "command line".
  std::string place;
  /// Why the value could not be worked out (`expand_placeholders`); else empty.
  std::string problem{};
};

using entries = std::vector<entry>;

/// Nested and dotted keys alike; a list of scalars becomes one value with
/// commas. `name` is for `place` and errors. Errors: malformed YAML with its
/// line, more than one document, more than 20,000 entries or 64 levels (aliases
/// can make a small file large).
result<entries> parse_yaml(std::string_view text, const std::string& name);

/// Java's format: # and ! comments, '=', ':' or a blank as separator, \ at the
/// end of a line continues it, escapes with \uXXXX.
result<entries> parse_properties(std::string_view text,
                                 const std::string& name);

/// Reads `path` (at most 4 MiB); .properties by its name, else YAML.
result<entries> read_file(const std::string& path);

/// Settings in the environment, weakest first: Spring-style names, names of
/// Nacos' Docker image, NACOS_*, BATATA_*, MUSTER_*. `warnings` gets a line for
/// a name of another product that would mislead.
entries from_environment(const process_environment& variables,
                         std::vector<std::string>& warnings);

/// Replaces ${NAME} and ${NAME:default} in all values: from the environment,
/// then from other entries (the last of a name counts). A name that is nowhere,
/// one that needs itself or an open brace becomes the entry's `problem`: files
/// for containers hold such values for databases that are not used.
void expand_placeholders(entries& all, const process_environment& variables);

} // namespace muster::source
