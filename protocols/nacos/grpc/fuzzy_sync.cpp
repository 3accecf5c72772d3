#include "protocols/nacos/grpc/fuzzy_sync.hpp"

#include <algorithm>

namespace muster::nacos::remote {

namespace {

using change = api::name_batch::change;

void append_missing(std::vector<change>& out, const name_set& in,
                    const name_set& from, bool added) {
  for (const auto& [group, name] : in)
    if (!from.contains({group, name}))
      out.push_back({group, name, added});
}

std::shared_ptr<api::name_batch> empty_batch(const fuzzy_sync& sync) {
  auto batch = std::make_shared<api::name_batch>();
  batch->kind = sync.kind;
  batch->space = sync.space;
  batch->pattern = sync.pattern;
  batch->initial = sync.initial;
  batch->number = 1;
  batch->total = 1;
  return batch;
}

} // namespace

std::vector<std::shared_ptr<const api::name_batch>>
plan_sync(const fuzzy_sync& sync, const name_set& present,
          const name_set& known, std::size_t batch_max) {
  std::vector<change> changes;
  if (!sync.over_limit)
    append_missing(changes, known, present, false);
  append_missing(changes, present, known, true);
  std::vector<std::shared_ptr<const api::name_batch>> out;
  const auto total = (changes.size() + batch_max - 1) / batch_max;
  for (std::size_t i = 0; i < total; ++i) {
    auto batch = empty_batch(sync);
    const auto first = i * batch_max;
    const auto count = std::min(batch_max, changes.size() - first);
    const auto from = changes.begin() + static_cast<std::ptrdiff_t>(first);
    batch->changes.assign(from, from + static_cast<std::ptrdiff_t>(count));
    batch->number = i + 1;
    batch->total = total;
    out.push_back(std::move(batch));
  }
  if (sync.initial) {
    auto last = empty_batch(sync);
    last->finish = true;
    out.push_back(std::move(last));
  }
  return out;
}

} // namespace muster::nacos::remote
