#include "tools/history/check.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "tools/history/pending.hpp"
#include "tools/history/prepare.hpp"

namespace muster::history {

namespace {

/// A change of the register: an entry, or the next unused one of some spares.
struct move {
  bool is_spare = false;
  std::uint32_t number = 0;
};

/// States that were looked at: what was taken, what was stored then, and how
/// many spares were spent for it. Fewer are never worse.
class visited_states {
public:
  explicit visited_states(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  bool full() const noexcept { return bytes_ > bytes_max_; }

  /// False if the same was seen with no more spares spent.
  bool enter(std::string state, const std::vector<std::uint32_t>& spent) {
    const auto bytes = spent.size() * sizeof(spent[0]) + 32;
    auto [at, fresh] = seen_.try_emplace(std::move(state));
    auto& known = at->second;
    const auto covers = [](const auto& fewer, const auto& more) {
      return std::ranges::equal(fewer, more, std::ranges::less_equal{});
    };
    if (!fresh && std::ranges::any_of(known, [&](const auto& k) {
          return covers(k, spent);
        }))
      return false;
    std::erase_if(known, [&](const auto& k) { return covers(spent, k); });
    known.push_back(spent);
    bytes_ += bytes + (fresh ? at->first.size() + 96 : 0);
    return true;
  }

private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, std::vector<std::vector<std::uint32_t>>>
      seen_;
};

class search {
public:
  search(const prepared& all, const bounds& within)
      : all_(all), within_(within), pending_(all), spent_(all.spares.size()),
        readers_(all.contents), writers_(all.contents),
        visited_(within.memory_bytes_max) {
    for (const auto& e : all.entries)
      ++(e.does.changes() ? writers_ : readers_)[e.does.content];
    for (const auto& s : all.spares)
      writers_[s.does.content] += static_cast<std::uint32_t>(s.invoked.size());
  }

  verdict run() {
    take_what_fits();
    open_frame({}, nothing, 0);
    for (std::uint64_t steps = 0; !frames_.empty(); ++steps) {
      if (pending_.empty())
        return verdict::linearizable;
      if (steps >= within_.steps_max || visited_.full())
        return verdict::undecided;
      step();
    }
    return verdict::violation;
  }

private:
  /// A state and the ways out of it that were not tried.
  struct frame {
    move made;
    content_id stored_before = nothing;
    /// How long the order was before `made`.
    std::size_t taken_before = 0;
    std::vector<move> moves;
    std::size_t tried = 0;
  };

  void open_frame(move made, content_id stored_before, std::size_t taken) {
    frames_.push_back({made, stored_before, taken, moves(), 0});
  }

  void step() {
    auto& top = frames_.back();
    if (top.tried == top.moves.size()) {
      undo(top);
      frames_.pop_back();
      return;
    }
    const auto m = top.moves[top.tried++];
    const auto before = stored_;
    const auto taken = order_.size();
    make(m);
    take_what_fits();
    if (visited_.enter(describe(), spent_))
      open_frame(m, before, taken);
    else
      undo({m, before, taken, {}, 0});
  }

  void make(move m) {
    if (m.is_spare) {
      const auto& s = all_.spares[m.number];
      ++spent_[m.number];
      --writers_[s.does.content];
      stored_ = s.does.content;
      return;
    }
    take(m.number);
    stored_ = all_.entries[m.number].does.content;
  }

  void undo(const frame& f) {
    while (order_.size() > f.taken_before) {
      const auto e = order_.back();
      order_.pop_back();
      pending_.give_back(e);
      const auto& does = all_.entries[e].does;
      ++(does.changes() ? writers_ : readers_)[does.content];
    }
    if (f.made.is_spare) {
      --spent_[f.made.number];
      ++writers_[all_.spares[f.made.number].does.content];
    }
    stored_ = f.stored_before;
  }

  void take(std::uint32_t e) {
    pending_.take(e);
    order_.push_back(e);
    const auto& does = all_.entries[e].does;
    --(does.changes() ? writers_ : readers_)[does.content];
  }

  /// What changes nothing and fits goes now: it can only make room.
  void take_what_fits() {
    const auto take_one = [this](std::uint32_t e) {
      const auto& does = all_.entries[e].does;
      if (does.changes() || !does.fits(stored_))
        return false;
      take(e);
      return true;
    };
    while (pending_.any_ready(take_one)) {
    }
  }

  /// Whether what is stored may be overwritten: nobody has to read it, or it
  /// can be stored again.
  bool may_go() const {
    return stored_ == nothing || readers_[stored_] == 0
           || writers_[stored_] > 0;
  }

  std::vector<move> moves() const {
    std::vector<move> out;
    if (!may_go())
      return out;
    pending_.any_ready_linear([&](std::uint32_t e) {
      const auto& does = all_.entries[e].does;
      if (does.changes() && does.fits(stored_))
        out.push_back({false, e});
      return false;
    });
    std::ranges::stable_sort(out, {}, [this](const move& m) {
      return all_.entries[m.number].returned;
    });
    for (std::uint32_t s = 0; s < all_.spares.size(); ++s) {
      const auto& each = all_.spares[s];
      const auto used = spent_[s];
      if (used < each.invoked.size() && each.invoked[used] <= pending_.limit()
          && each.does.fits(stored_) && each.does.content != stored_)
        out.push_back({true, s});
    }
    return out;
  }

  std::string describe() const {
    std::string out(sizeof stored_, '\0');
    for (std::size_t i = 0; i < sizeof stored_; ++i)
      out[i] = static_cast<char>(stored_ >> (8 * i));
    pending_.describe(out);
    return out;
  }

  const prepared& all_;
  const bounds& within_;
  pending pending_;
  content_id stored_ = nothing;
  /// Entries taken, oldest first.
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> spent_;
  /// By content: entries left that read it, and entries and spares that store
  /// it.
  std::vector<std::uint32_t> readers_;
  std::vector<std::uint32_t> writers_;
  std::vector<frame> frames_;
  visited_states visited_;
};

} // namespace

verdict check_key(std::span<const operation> operations, const bounds& within) {
  const auto all = prepare(operations);
  return all.impossible ? verdict::violation : search(all, within).run();
}

} // namespace muster::history
