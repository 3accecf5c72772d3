#include "tools/history/prepare.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

namespace muster::history {

namespace {

bool is_read(const operation& o) {
  return o.what == action::read || o.what == action::local_read;
}

/// Whether it stored, or may have stored, its content.
bool may_store(const operation& o) {
  if (o.outcome == fate::failed)
    return false;
  return o.what == action::publish
         || (o.what == action::compare_and_set
             && (o.outcome == fate::unknown || o.swapped));
}

/// What is known of a content before any search.
struct known {
  content_id id = other;
  std::uint32_t writers = 0;
  /// Return of the first read that showed it.
  std::int64_t shown = never;
};

class preparation {
public:
  explicit preparation(std::span<const operation> operations) {
    for (const auto& o : operations)
      learn(o);
    for (const auto& o : operations)
      if (o.outcome != fate::failed)
        add(o);
    for (auto& [does, invoked] : spares_) {
      std::ranges::sort(invoked);
      out_.spares.push_back({does, std::move(invoked)});
    }
    std::ranges::stable_sort(out_.entries, {}, &entry::invoked);
    out_.nodes = static_cast<std::uint32_t>(nodes_.size());
  }

  prepared take() { return std::move(out_); }

private:
  known& distinct(std::string_view content) {
    auto& k = contents_[content];
    if (k.id == other)
      k.id = out_.contents++;
    return k;
  }

  void learn(const operation& o) {
    if (may_store(o))
      ++contents_[*o.content].writers;
    if (o.what == action::compare_and_set)
      distinct(o.expected);
    if (is_read(o) && o.outcome == fate::ok && o.content) {
      auto& k = distinct(*o.content);
      k.shown = std::min(k.shown, o.returned);
    }
  }

  content_id id_of(const std::optional<std::string>& content) {
    return content ? contents_[*content].id : nothing;
  }

  std::uint32_t node_of(const operation& o) {
    const auto next = static_cast<std::uint32_t>(nodes_.size());
    return nodes_.try_emplace(o.node, next).first->second;
  }

  effect effect_of(const operation& o) {
    using kind = effect::kind;
    switch (o.what) {
    case action::publish:
      return {kind::write, id_of(o.content), nothing};
    case action::remove:
      return {kind::write, nothing, nothing};
    case action::compare_and_set:
      return may_store(o)
                 ? effect{kind::swap, id_of(o.content), id_of(o.expected)}
                 : effect{kind::conflict, nothing, id_of(o.expected)};
    case action::read:
    case action::local_read:
      break;
    }
    return {kind::read, id_of(o.content), nothing};
  }

  void add(const operation& o) {
    if (o.outcome == fate::unknown) {
      if (!is_read(o))
        add_unknown(o);
      return;
    }
    if (is_read(o) && o.content && contents_[*o.content].writers == 0)
      out_.impossible = true;
    out_.entries.push_back({o.invoked, o.returned, effect_of(o), node_of(o),
                            o.what == action::local_read});
  }

  void add_unknown(const operation& o) {
    const auto does = effect_of(o);
    const known* k = may_store(o) ? &contents_[*o.content] : nullptr;
    if (!k || k->writers > 1 || k->shown == never) {
      spares_[does].push_back(o.invoked);
      return;
    }
    // Shown, and by nobody else stored: it happened before that. Its node has
    // not answered for it, so no local read has to come after it.
    out_.entries.push_back(
        {o.invoked, std::max(o.invoked, k->shown), does, no_node, false});
  }

  prepared out_;
  std::unordered_map<std::string_view, known> contents_;
  std::unordered_map<std::string_view, std::uint32_t> nodes_;
  std::map<effect, std::vector<std::int64_t>> spares_;
};

} // namespace

prepared prepare(std::span<const operation> operations) {
  return preparation(operations).take();
}

} // namespace muster::history
