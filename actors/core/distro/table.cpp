#include "actors/core/distro/table.hpp"

#include <utility>

#include "actors/core/base/hash.hpp"

namespace muster::distro {

std::uint64_t hash_of(const publication_name& name) noexcept {
  auto hash = stable_hash(name.service.space);
  hash = stable_hash(name.service.group, hash);
  hash = stable_hash(name.service.name, hash);
  return stable_hash(name.client_id, hash);
}

publication_ptr table::find(const publication_name& name) const {
  const auto& bucket = buckets_[bucket_of(name)];
  const auto found = bucket.find(name);
  return found == bucket.end() ? nullptr : found->second;
}

void table::put(publication_ptr p) {
  const auto name = name_of(*p);
  erase(name);
  add(*p);
  buckets_[bucket_of(name)].emplace(name, std::move(p));
  ++size_;
}

void table::erase(const publication_name& name) {
  auto& bucket = buckets_[bucket_of(name)];
  const auto found = bucket.find(name);
  if (found == bucket.end())
    return;
  const auto last_use = found->second; // `name` may be a view into it
  subtract(*last_use);
  bucket.erase(found);
  --size_;
}

bucket_sums table::sums(const node_life& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? bucket_sums{} : found->second.sums;
}

std::size_t table::count(const node_life& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second.count;
}

std::vector<node_life> table::owners() const {
  std::vector<node_life> out;
  for (const auto& [owner, _] : owners_)
    out.push_back(owner);
  return out;
}

namespace {

/// What a publication adds to the sum of its bucket.
std::uint64_t weight_of(std::uint64_t hash, std::uint64_t revision) {
  return mix(hash ^ mix(revision));
}

} // namespace

void table::add(const publication& p) {
  const auto hash = hash_of(name_of(p));
  auto& o = owners_[p.from.owner];
  ++o.count;
  o.sums[hash % bucket_count] ^= weight_of(hash, p.from.revision);
}

void table::subtract(const publication& p) {
  const auto hash = hash_of(name_of(p));
  const auto found = owners_.find(p.from.owner);
  found->second.sums[hash % bucket_count] ^= weight_of(hash, p.from.revision);
  if (--found->second.count == 0)
    owners_.erase(found);
}

} // namespace muster::distro
