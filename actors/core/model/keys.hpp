#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

/// Names of the things clients see, shared by every protocol.
namespace muster {

/// The namespace every product's "default" maps to.
inline constexpr std::string_view public_namespace = "public";
/// The group used where a client names none.
inline constexpr std::string_view default_group = "DEFAULT_GROUP";
/// The cluster used where a client names none.
inline constexpr std::string_view default_cluster = "DEFAULT";

/// Three names seen through views; the key of a hash look-up that allocates
/// nothing. Valid only while the viewed texts live.
struct key_view {
  std::string_view space;
  std::string_view group;
  std::string_view name;
  bool operator==(const key_view&) const = default;
};

/// A config: namespace id, group, dataId. Case-sensitive; never a blank
/// namespace (front-ends replace it by `public_namespace`).
struct config_key {
  std::string space;
  std::string group;
  std::string data_id;
  auto operator<=>(const config_key&) const = default;
  key_view view() const { return {space, group, data_id}; }
};

/// A service: namespace id, group, bare service name.
struct service_key {
  std::string space;
  std::string group;
  std::string service;
  auto operator<=>(const service_key&) const = default;
  key_view view() const { return {space, group, service}; }
};

/// Hash over owned keys and views alike (C++ heterogeneous look-up).
struct key_hash {
  using is_transparent = void;
  std::size_t operator()(const key_view& k) const noexcept {
    const std::hash<std::string_view> h;
    std::size_t seed = h(k.name);
    seed ^= h(k.group) + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
    seed ^= h(k.space) + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
    return seed;
  }
  std::size_t operator()(const config_key& k) const noexcept {
    return (*this)(k.view());
  }
  std::size_t operator()(const service_key& k) const noexcept {
    return (*this)(k.view());
  }
};

/// Equality over owned keys and views alike.
struct key_equal {
  using is_transparent = void;
  static key_view v(const key_view& k) { return k; }
  static key_view v(const config_key& k) { return k.view(); }
  static key_view v(const service_key& k) { return k.view(); }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const noexcept {
    return v(a) == v(b);
  }
};

} // namespace muster
