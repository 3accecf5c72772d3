#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

/// Answers made from an immutable snapshot, kept beside it.
namespace muster {

/// A few slots for bytes rendered from the snapshot that owns this cache. The
/// snapshot never changes, so a rendering is valid as long as the snapshot
/// lives; it dies with it, and so a new snapshot starts with none. What a slot
/// means is the renderer's affair: `protocols/common/render_slots.hpp` hands
/// out the numbers.
///
/// Any thread may call both members; two threads that miss at once both render
/// and one of the equal results stays.
class render_cache {
public:
  static constexpr std::size_t slots = 4;
  using bytes = std::shared_ptr<const std::string>;

  /// The kept rendering, or nullptr.
  bytes find(std::size_t slot) const noexcept {
    return slots_[slot].load(std::memory_order_acquire);
  }

  /// Keeps `value` and returns it.
  bytes keep(std::size_t slot, std::string value) const {
    auto kept = std::make_shared<const std::string>(std::move(value));
    slots_[slot].store(kept, std::memory_order_release);
    return kept;
  }

private:
  mutable std::array<std::atomic<bytes>, slots> slots_;
};

} // namespace muster
