#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/core/naming/publication.hpp"

namespace muster::distro {

using naming::node_life;
using naming::publication;
using naming::publication_ptr;

/// Names one publication: a client's, to one service. A view.
struct publication_name {
  key_view service;
  std::string_view client_id;
  bool operator==(const publication_name&) const = default;
};

inline publication_name name_of(const publication& p) {
  return {p.service->view(), p.client_id};
}

/// The same on every node.
std::uint64_t hash_of(const publication_name& name) noexcept;

/// Parts in which tables of two nodes are compared.
inline constexpr std::size_t bucket_count = 256;

inline std::size_t bucket_of(const publication_name& name) noexcept {
  return hash_of(name) % bucket_count;
}

/// What is in a part of a table: equal sums mean equal publications in equal
/// revisions, but for accidents that hashes have.
using bucket_sums = std::array<std::uint64_t, bucket_count>;

/// All publications a node knows of, its own and others'. Not thread-safe.
class table {
public:
  /// Null if unknown.
  publication_ptr find(const publication_name& name) const;

  /// In the place of an earlier one. Never a removal.
  void put(publication_ptr p);
  void erase(const publication_name& name);

  /// Of what one process owns.
  bucket_sums sums(const node_life& owner) const;
  std::size_t count(const node_life& owner) const;
  std::vector<node_life> owners() const;

  std::size_t count_in(std::size_t bucket) const {
    return buckets_[bucket].size();
  }

  template <class F>
  void each_in(std::size_t bucket, F&& f) const {
    for (const auto& [name, p] : buckets_[bucket])
      f(p);
  }
  template <class F>
  void each(F&& f) const {
    for (std::size_t b = 0; b < bucket_count; ++b)
      each_in(b, f);
  }
  std::size_t size() const noexcept { return size_; }

private:
  struct name_hash {
    std::size_t operator()(const publication_name& n) const noexcept {
      return hash_of(n);
    }
  };
  struct owned {
    std::size_t count = 0;
    bucket_sums sums{};
  };

  void add(const publication& p);
  void subtract(const publication& p);

  /// The keys are views into the values.
  std::array<std::unordered_map<publication_name, publication_ptr, name_hash>,
             bucket_count>
      buckets_;
  std::map<node_life, owned> owners_;
  std::size_t size_ = 0;
};

} // namespace muster::distro
