#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/memory/memory_store.hpp"
#include "storage/overlay.hpp"

namespace muster::storage {
namespace {

using rows = std::map<row_key, std::string, row_less>;

/// One group's tables at one moment. Changed in place only while nobody else
/// holds them.
struct version {
  std::shared_ptr<rows> tables = std::make_shared<rows>();
  raft::log_position applied;
  raft::snapshot_meta imported;
};

} // namespace

struct memory_state_store::shared {
  std::mutex mutex;
  std::map<partition_id, version> groups;

  version at(partition_id group) {
    const std::lock_guard lock{mutex};
    return groups[group];
  }

  void replace(partition_id group, version by) {
    const std::lock_guard lock{mutex};
    groups[group] = std::move(by);
  }

  void change(partition_id group, const changed_rows& by,
              std::optional<raft::log_position> applied) {
    const std::lock_guard lock{mutex};
    auto& now = groups[group];
    if (now.tables.use_count() > 1)
      now.tables = std::make_shared<rows>(*now.tables);
    for (const auto& [key, value] : by) {
      if (value)
        now.tables->insert_or_assign(key, *value);
      else
        now.tables->erase(key);
    }
    if (applied)
      now.applied = *applied;
  }
};

namespace {

class memory_reader : public state_reader {
public:
  explicit memory_reader(version at) : at_(std::move(at)) {}

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    const auto at = at_.tables->find(row_view{table, key});
    if (at == at_.tables->end())
      return std::nullopt;
    return at->second;
  }

  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    auto i = at_.tables->lower_bound(row_view{table, from});
    while (i != at_.tables->end() && i->first.first == table
           && visit(i->first.second, i->second))
      ++i;
  }

private:
  version at_;
};

/// Always the last committed version.
template <class Store>
class committed_reader : public state_reader {
public:
  committed_reader(std::shared_ptr<Store> store, partition_id group)
    : store_(std::move(store)), group_(group) {}

  std::optional<std::string> get(table_id table,
                                 std::string_view key) const override {
    return memory_reader{store_->at(group_)}.get(table, key);
  }
  void scan(table_id table, std::string_view from,
            const visitor& visit) const override {
    memory_reader{store_->at(group_)}.scan(table, from, visit);
  }

private:
  std::shared_ptr<Store> store_;
  partition_id group_;
};

template <class Store>
class memory_batch : public overlay_batch {
public:
  explicit memory_batch(std::shared_ptr<Store> store)
    : store_(std::move(store)) {}

private:
  std::unique_ptr<state_reader> committed(partition_id group) override {
    return std::make_unique<committed_reader<Store>>(store_, group);
  }
  result<void> write(const all_changes& changed) override {
    for (const auto& [group, changes] : changed)
      store_->change(group, changes.rows.rows(), changes.applied);
    return {};
  }

  std::shared_ptr<Store> store_;
};

class memory_exporter : public raft::state_store::exporter {
public:
  explicit memory_exporter(version at) : at_(std::move(at)) {}

  const raft::log_position& position() const override { return at_.applied; }

  result<void> read(const raft::state_store::place& after,
                    const raft::state_store::row_visitor& visit) override {
    auto i = at_.tables->upper_bound(row_view{after.table, after.key});
    while (i != at_.tables->end()
           && visit(i->first.first, i->first.second, i->second))
      ++i;
    return {};
  }

private:
  version at_;
};

template <class Store>
class memory_importer : public raft::state_store::importer {
public:
  memory_importer(std::shared_ptr<Store> store, partition_id group)
    : store_(std::move(store)), group_(group) {}

  result<void> add(table_id table, std::string_view key,
                   std::string_view value) override {
    row_key at{table, key};
    if (!fresh_.tables->empty()
        && !row_less{}(fresh_.tables->rbegin()->first, at))
      return fail(errc::invalid_argument, "imported rows are not in key order");
    fresh_.tables->emplace_hint(fresh_.tables->end(), std::move(at), value);
    return {};
  }

  result<void> finish(const raft::snapshot_meta& meta) override {
    fresh_.applied = meta.last;
    fresh_.imported = meta;
    store_->replace(group_, std::exchange(fresh_, {}));
    return {};
  }

private:
  std::shared_ptr<Store> store_;
  partition_id group_;
  version fresh_;
};

} // namespace

memory_state_store::memory_state_store()
  : shared_(std::make_shared<shared>()) {}

memory_state_store::~memory_state_store() = default;

result<raft::log_position> memory_state_store::applied(partition_id group) {
  return shared_->at(group).applied;
}

std::unique_ptr<state_reader> memory_state_store::reader(partition_id group) {
  return std::make_unique<memory_reader>(shared_->at(group));
}

std::unique_ptr<raft::state_store::batch>
memory_state_store::begin() {
  return std::make_unique<memory_batch<shared>>(shared_);
}

result<void> memory_state_store::flush() { return {}; }

result<raft::snapshot_meta> memory_state_store::imported(partition_id group) {
  return shared_->at(group).imported;
}

result<std::unique_ptr<raft::state_store::exporter>>
memory_state_store::export_group(partition_id group) {
  return std::make_unique<memory_exporter>(shared_->at(group));
}

std::unique_ptr<raft::state_store::importer>
memory_state_store::import_group(partition_id group) {
  return std::make_unique<memory_importer<shared>>(shared_, group);
}

result<void> memory_state_store::drop_group(partition_id group) {
  shared_->replace(group, {});
  return {};
}

} // namespace muster::storage
