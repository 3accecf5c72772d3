#include "actors/core/model/difference.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/model/config_records.hpp"

namespace muster::model {

namespace {

/// The rows of a table, one after the other, read some at a time.
class row_stream {
public:
  row_stream(const state_reader& from, table_id table)
      : from_(from), table_(table) {
    read({});
  }

  bool ended() const { return at_ == rows_.size(); }
  const std::string& key() const { return rows_[at_].first; }
  const std::string& value() const { return rows_[at_].second; }

  void next() {
    // The smallest key behind the last one ends with a zero byte more.
    if (++at_ == rows_.size() && more_)
      read(rows_.back().first + '\0');
  }

private:
  static constexpr std::size_t rows_max = 256;
  static constexpr std::size_t bytes_max = std::size_t{1} << 20;

  void read(const std::string& from) {
    rows_.clear();
    at_ = 0;
    more_ = false;
    std::size_t bytes = 0;
    from_.scan(table_, from, [&](std::string_view key, std::string_view value) {
      if (rows_.size() == rows_max || bytes >= bytes_max) {
        more_ = true;
        return false;
      }
      bytes += key.size() + value.size();
      rows_.emplace_back(key, value);
      return true;
    });
  }

  const state_reader& from_;
  const table_id table_;
  std::vector<std::pair<std::string, std::string>> rows_;
  std::size_t at_ = 0;
  bool more_ = false;
};

/// Calls `visit(key, old value, new value)` for the rows that differ; null
/// where there is none.
template <class F>
void compare(const state_reader& before, const state_reader& after,
             table_id table, F&& visit) {
  row_stream a(before, table);
  row_stream b(after, table);
  const std::string* const none = nullptr;
  while (!a.ended() || !b.ended()) {
    const auto left = b.ended() || (!a.ended() && a.key() < b.key());
    const auto right = a.ended() || (!b.ended() && b.key() < a.key());
    if (left)
      visit(a.key(), &a.value(), none);
    else if (right)
      visit(b.key(), none, &b.value());
    else if (a.value() != b.value())
      visit(a.key(), &a.value(), &b.value());
    if (!right)
      a.next();
    if (!left)
      b.next();
  }
}

/// Keys of configs and services, and of what belongs to one, begin with three
/// texts.
template <class Key>
Key key_in_front(std::string_view row) {
  std::string first;
  std::string second;
  std::string third;
  if (!key_codec::take(row, first) || !key_codec::take(row, second)
      || !key_codec::take(row, third))
    throw state_error{{errc::data_loss, "a key does not parse"}};
  return {std::move(first), std::move(second), std::move(third)};
}

bool same_formal(const std::string& old_value, const std::string& new_value) {
  return config_table::parse(old_value).content()
         == config_table::parse(new_value).content();
}

bool same_gray(const std::string& old_value, const std::string& new_value) {
  return same_delivery(gray_table::parse(old_value),
                       gray_table::parse(new_value));
}

class differences {
public:
  differences(const state_reader& before, const state_reader& after,
              partition_id partition, log_index index,
              const std::function<void(const event&)>& visit)
      : before_(before), after_(after), partition_(partition), index_(index),
        visit_(visit) {}

  void configs() {
    compare(before_, after_, table_id::config,
            [&](const std::string& key, const auto* was, const auto* is) {
              if (!was || !is || !same_formal(*was, *is))
                tell_config(key_in_front<config_key>(key), !was, !is);
            });
    std::optional<config_key> told;
    compare(before_, after_, table_id::gray,
            [&](const std::string& key, const auto* was, const auto* is) {
              auto config = key_in_front<config_key>(key);
              if (told == config || (was && is && same_gray(*was, *is)))
                return;
              tell_config(config, false, false);
              told = std::move(config);
            });
  }

  void namespaces() {
    compare(before_, after_, table_id::name_space,
            [&](std::string_view key, const auto*, const auto* is) {
              std::string id;
              if (!key_codec::take(key, id))
                throw state_error{{errc::data_loss, "a key does not parse"}};
              tell(namespace_changed{std::move(id), !is});
            });
  }

  void services() {
    for (const auto table :
         {table_id::service, table_id::instance, table_id::instance_override}) {
      std::optional<service_key> told;
      compare(before_, after_, table,
              [&](const std::string& row, const auto*, const auto* is) {
                auto key = key_in_front<service_key>(row);
                if (told == key)
                  return;
                tell(service_changed{key, table == table_id::service && !is});
                told = std::move(key);
              });
    }
  }

private:
  void tell_config(config_key key, bool created, bool removed) {
    config_changed change;
    change.now = load_config(after_, key);
    change.key = std::move(key);
    change.content_changed = true;
    change.created = created;
    change.removed = removed;
    tell(std::move(change));
  }

  template <class What>
  void tell(What what) {
    visit_(event{partition_, index_, std::move(what)});
  }

  const state_reader& before_;
  const state_reader& after_;
  const partition_id partition_;
  const log_index index_;
  const std::function<void(const event&)>& visit_;
};

} // namespace

void visit_differences(const state_reader& before, const state_reader& after,
                       partition_id partition, log_index index,
                       const std::function<void(const event&)>& visit) {
  differences all(before, after, partition, index, visit);
  all.configs();
  all.namespaces();
  all.services();
}

} // namespace muster::model
