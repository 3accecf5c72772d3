#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "actors/core/model/state_view.hpp"

/// Tables in a map, for tests of what reads and writes them. A copy is a
/// snapshot; equal tables compare equal.
namespace muster::test {

class map_state final : public state_writer {
public:
  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    ++gets;
    const auto found = rows.find({table, std::string(key)});
    if (found == rows.end())
      return std::nullopt;
    return found->second;
  }

  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    ++scans;
    for (auto at = rows.lower_bound({table, std::string(from)});
         at != rows.end() && at->first.first == table; ++at)
      if (!visit(at->first.second, at->second))
        return;
  }

  void put(table_id table, std::string_view key,
           std::string_view value) override {
    ++puts;
    rows[{table, std::string(key)}] = value;
  }

  void erase(table_id table, std::string_view key) override {
    rows.erase({table, std::string(key)});
  }

  std::size_t count(table_id table) const {
    std::size_t n = 0;
    for (const auto& [key, value] : rows)
      n += key.first == table ? 1 : 0;
    return n;
  }

  std::map<std::pair<table_id, std::string>, std::string> rows;
  /// How often the port was used.
  mutable std::size_t gets = 0;
  mutable std::size_t scans = 0;
  std::size_t puts = 0;
};

} // namespace muster::test
