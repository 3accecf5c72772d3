#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/history/prepare.hpp"

namespace muster::history {

/// The entries that are not in the order yet, in the lists that say which may
/// be next. Taking one and giving it back (newest first) costs the same always.
class pending {
public:
  explicit pending(const prepared& all);

  bool empty() const noexcept { return left_ == 0; }

  void take(std::uint32_t entry);
  void give_back(std::uint32_t entry);

  /// When the first operation returned that has to be before all that was
  /// invoked later.
  std::int64_t limit() const noexcept;

  /// Calls `f(entry)` for each that may be next, in order of invocation, first
  /// those that are not local reads, until `f` answers true; tells whether it
  /// did.
  template <class F>
  bool any_ready(F&& f) const {
    if (any_until(0, limit(), f))
      return true;
    for (std::uint32_t n = 0; n < all_.nodes; ++n)
      if (any_until(1 + n, limit_of(n), f))
        return true;
    return false;
  }

  /// Same for the entries that are not local reads.
  template <class F>
  bool any_ready_linear(F&& f) const {
    return any_until(0, limit(), f);
  }

  /// Which entries are taken, written behind `out`. Equal bytes: the same ones.
  void describe(std::string& out) const;

private:
  /// Doubly linked lists over the entries' numbers; their heads come behind.
  struct lists {
    std::vector<std::uint32_t> next;
    std::vector<std::uint32_t> previous;

    void reset(std::uint32_t entries, std::uint32_t count);
    void append(std::uint32_t head, std::uint32_t entry);
    void unlink(std::uint32_t entry);
    void relink(std::uint32_t entry);
  };

  template <class F>
  bool any_until(std::uint32_t list, std::int64_t until, F& f) const {
    const auto head = size() + list;
    for (auto e = waiting_.next[head]; e != head; e = waiting_.next[e]) {
      if (all_.entries[e].invoked > until)
        return false;
      if (f(e))
        return true;
    }
    return false;
  }

  std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(all_.entries.size());
  }
  std::int64_t limit_of(std::uint32_t node) const noexcept;

  const prepared& all_;
  std::uint32_t left_;
  /// By invocation: list 0 the linear ones, 1 + n the local reads of node n.
  lists waiting_;
  /// By return: of all entries, and (in `answered_`) of each node's.
  lists returning_;
  lists answered_;
  std::vector<std::uint64_t> taken_;
};

} // namespace muster::history
