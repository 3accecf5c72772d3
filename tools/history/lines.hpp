#pragma once

#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/result.hpp"
#include "tools/history/operation.hpp"

namespace muster::history {

using by_key = std::map<std::string, std::vector<operation>>;

/// One operation from one line of a recorded history (README.md has the form).
/// `invalid_argument` names what is wrong with it. Never throws.
result<operation> parse_line(std::string_view text);

/// Adds all operations of a file to `out`. The error names the line; what stood
/// before it has been added.
result<void> read_lines(std::istream& from, by_key& out);

/// The operation in one line for people; times are milliseconds since `start`.
std::string tell(const operation& o, std::int64_t start);

} // namespace muster::history
