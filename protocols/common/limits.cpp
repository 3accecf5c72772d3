#include "protocols/common/limits.hpp"

#include <mutex>
#include <unordered_map>

#include "actors/core/base/invariant.hpp"

namespace muster::common {

bool permits::take(std::size_t n) noexcept {
  auto used = used_.load(std::memory_order_relaxed);
  do {
    if (n > max_ || used > max_ - n)
      return false;
  } while (
      !used_.compare_exchange_weak(used, used + n, std::memory_order_relaxed));
  return true;
}

void permits::give(std::size_t n) noexcept {
  const auto before = used_.fetch_sub(n, std::memory_order_relaxed);
  MUSTER_INVARIANT(before >= n, "more permits given back than taken");
}

struct keyed_permits::impl {
  explicit impl(std::size_t m) : max(m) {}
  const std::size_t max;
  mutable std::mutex mutex;
  std::unordered_map<std::string, std::size_t> used;
};

keyed_permits::keyed_permits(std::size_t max_per_key)
    : impl_(std::make_unique<impl>(max_per_key)) {
  // nop
}

keyed_permits::~keyed_permits() = default;

bool keyed_permits::take(std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->max == 0)
    return false;
  auto& n = impl_->used[std::string(key)];
  if (n >= impl_->max)
    return false;
  ++n;
  return true;
}

void keyed_permits::give(std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->used.find(std::string(key));
  MUSTER_INVARIANT(it != impl_->used.end(), "a permit nobody took");
  if (--it->second == 0)
    impl_->used.erase(it);
}

std::size_t keyed_permits::keys() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->used.size();
}

} // namespace muster::common
