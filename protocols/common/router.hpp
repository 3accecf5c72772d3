#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/core/base/result.hpp"
#include "protocols/common/route.hpp"

/// From method and path to a row of a product's table.
namespace muster::common {

/// One row, as the router found it. Lives as long as the router.
struct bound_route {
  const route* row = nullptr;
  const product* owner = nullptr;
  /// Dense number over all products, for metrics.
  std::size_t index = 0;
};

/// Immutable after construction; any thread.
class router {
public:
  /// `products` must outlive the router. Tables that `check` refuses are a bug.
  explicit router(std::span<const product> products);
  /// `invalid_argument` for a row that is there twice, has no handler or a bad
  /// pattern.
  static result<void> check(std::span<const product> products);

  struct found {
    /// Null: no such path, or not with this method.
    const bound_route* route = nullptr;
    /// For a known path and another method: "GET, POST"; else empty.
    std::string allow;
    /// Who answers, also for what was not found. Never null.
    const product* owner = nullptr;
  };
  /// `path` is decoded. Fills `values` with what `{name}` segments matched
  /// (views into `path` and the table).
  found find(http::method verb, std::string_view path,
             std::vector<http::request::field>& values) const;

  /// All rows in table order; `index` counts from 0 without gaps.
  const std::vector<bound_route>& rows() const noexcept { return rows_; }
  /// Who answers what cannot be told apart (a malformed request).
  const product& first_product() const noexcept { return products_.front(); }

private:
  /// Rows of one path, by method; null where there is none.
  using by_method = std::array<const bound_route*, http::method_count>;
  struct pattern {
    std::vector<std::string> segments; ///< "{}" for any
    by_method rows{};
  };
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept {
      return std::hash<std::string_view>{}(s);
    }
  };

  void add(std::string path, const bound_route& row);
  const product& owner_of(std::string_view path) const;
  const by_method* match(std::string_view path,
                         std::vector<http::request::field>& values) const;

  std::span<const product> products_;
  std::vector<bound_route> rows_;
  std::unordered_map<std::string, by_method, hash, std::equal_to<>> fixed_;
  std::vector<pattern> patterns_;
};

} // namespace muster::common
