#pragma once

#include <concepts>
#include <set>
#include <string>
#include <string_view>

#include "actors/core/model/apply.hpp"
#include "muster/record.pb.h"

/// States, outcomes and events as lines of text, so that two ways to them can
/// be compared, and a difference be read.
namespace muster::sim {

using lines = std::multiset<std::string>;

inline std::string told(std::string_view text) {
  return std::string(text);
}
inline std::string told(const char* text) {
  return text;
}
inline std::string told(bool yes) {
  return yes ? "yes" : "no";
}
inline std::string told(double number) {
  return std::to_string(number);
}
template <std::integral T>
std::string told(T number) {
  return std::to_string(number);
}

/// Parts closed by bars.
template <class... Parts>
std::string line(const Parts&... parts) {
  std::string out;
  ((out += told(parts), out += '|'), ...);
  return out;
}

/// A map in order of its keys.
template <class Map>
std::string told_map(const Map& map) {
  lines all;
  for (const auto& [key, value] : map)
    all.insert(line(key, value));
  std::string out;
  for (const auto& each : all)
    out += each;
  return out;
}

std::string told_clusters(const pb::ServiceRecord& record);

/// What the tables show through the queries that the server uses.
lines tell_state(const state_reader& state);
std::string tell_applied(const model::applied& done);

/// The first line that only one of them has.
std::string first_difference(const lines& expected, const lines& found);

} // namespace muster::sim
