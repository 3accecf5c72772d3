#include "tools/history/pending.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace muster::history {

namespace {

void append_number(std::string& out, std::uint64_t value, int bytes) {
  for (; bytes > 0; --bytes, value >>= 8)
    out += static_cast<char>(value & 0xff);
}

} // namespace

void pending::lists::reset(std::uint32_t entries, std::uint32_t count) {
  next.resize(entries + count);
  std::iota(next.begin(), next.end(), 0U);
  previous = next;
}

void pending::lists::append(std::uint32_t head, std::uint32_t entry) {
  previous[entry] = previous[head];
  next[entry] = head;
  relink(entry);
}

void pending::lists::unlink(std::uint32_t entry) {
  next[previous[entry]] = next[entry];
  previous[next[entry]] = previous[entry];
}

/// Its own links still say where it was.
void pending::lists::relink(std::uint32_t entry) {
  next[previous[entry]] = entry;
  previous[next[entry]] = entry;
}

pending::pending(const prepared& all)
    : all_(all), left_(size()), taken_(size() / 64 + 1) {
  waiting_.reset(size(), 1 + all.nodes);
  returning_.reset(size(), 1);
  answered_.reset(size(), all.nodes);
  for (std::uint32_t e = 0; e < size(); ++e) {
    const auto& entry = all.entries[e];
    waiting_.append(size() + (entry.local ? 1 + entry.node : 0), e);
  }
  std::vector<std::uint32_t> by_return(size());
  std::iota(by_return.begin(), by_return.end(), 0U);
  std::ranges::stable_sort(
      by_return, {}, [&](std::uint32_t e) { return all.entries[e].returned; });
  for (const auto e : by_return) {
    returning_.append(size(), e);
    if (all.entries[e].node != no_node)
      answered_.append(size() + all.entries[e].node, e);
  }
}

void pending::take(std::uint32_t entry) {
  waiting_.unlink(entry);
  returning_.unlink(entry);
  if (all_.entries[entry].node != no_node)
    answered_.unlink(entry);
  taken_[entry / 64] |= std::uint64_t{1} << (entry % 64);
  --left_;
}

void pending::give_back(std::uint32_t entry) {
  waiting_.relink(entry);
  returning_.relink(entry);
  if (all_.entries[entry].node != no_node)
    answered_.relink(entry);
  taken_[entry / 64] &= ~(std::uint64_t{1} << (entry % 64));
  ++left_;
}

std::int64_t pending::limit() const noexcept {
  const auto first = returning_.next[size()];
  return first == size() ? never : all_.entries[first].returned;
}

std::int64_t pending::limit_of(std::uint32_t node) const noexcept {
  const auto head = size() + node;
  const auto first = answered_.next[head];
  return first == head ? never : all_.entries[first].returned;
}

/// All before the first that is left are taken; what is taken beyond it stands
/// near it, so only that is written down.
void pending::describe(std::string& out) const {
  auto first = size();
  for (std::uint32_t list = 0; list <= all_.nodes; ++list)
    first = std::min(first, waiting_.next[size() + list] < size()
                                ? waiting_.next[size() + list]
                                : size());
  append_number(out, first, 4);
  auto beyond = size() - left_ - first;
  auto mask = ~std::uint64_t{0} << (first % 64);
  for (auto word = first / 64; beyond > 0; ++word, mask = ~std::uint64_t{0}) {
    const auto bits = taken_[word] & mask;
    append_number(out, bits, 8);
    beyond -= static_cast<std::uint32_t>(std::popcount(bits));
  }
}

} // namespace muster::history
