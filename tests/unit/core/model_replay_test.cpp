// What holds for every command: determinism, replay, repeated proposals, ids.
#include <map>
#include <random>

#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using namespace muster::test;

namespace {

/// Random commands over few names, so that they meet.
class generator {
public:
  explicit generator(unsigned seed) : random_(seed) {}

  pb::Command next() {
    auto command = body();
    time_ms_ += below(3);
    command.set_time_ms(time_ms_);
    if (below(4) == 0) {
      command.set_client(1 + below(2));
      command.set_sequence(1 + below(40));
    }
    return command;
  }

private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  std::string word() {
    return std::string(1, static_cast<char>('a' + below(3)));
  }

  template <class Map>
  void fill(Map& map) {
    for (unsigned i = below(6); i > 0; --i)
      map[std::to_string(below(100))] = word();
  }

  pb::Command body() {
    switch (below(4)) {
    case 0:
      return naming();
    case 1:
      return gray();
    default:
      return config();
    }
  }

  pb::ConfigKey config_name() { return model_fixture::config(word()); }
  pb::ServiceKey service_name() {
    pb::ServiceKey key;
    key.set_namespace_id("public");
    key.set_group("g");
    key.set_service(word());
    return key;
  }

  pb::Command config() {
    pb::Command command;
    const auto content = word();
    switch (below(8)) {
    case 0:
      *command.mutable_config_remove()->mutable_key() = config_name();
      break;
    case 1:
      command.mutable_history_trim()->set_before_ms(time_ms_ - 20);
      command.mutable_history_trim()->set_limit(below(5));
      break;
    case 2:
      command.mutable_namespace_put()->set_id(word());
      command.mutable_namespace_put()->set_mode(
          static_cast<pb::NamespacePut::Mode>(below(2)));
      break;
    case 3:
      command.mutable_namespace_remove()->set_id(word());
      break;
    default:
      command = model_fixture::publish(content,
                                       below(2) == 0 ? "md5 of " + word() : "");
      *command.mutable_config_publish()->mutable_key() = config_name();
      if (below(2) == 0)
        command.mutable_config_publish()->set_tags(word());
    }
    return command;
  }

  pb::Command gray() {
    const auto name = "tag_" + word();
    auto command = below(3) == 0 ? model_fixture::gray_remove(name)
                                 : model_fixture::gray(name, word());
    if (command.has_gray_publish())
      command.mutable_gray_publish()->set_max_versions(2);
    auto& key = command.has_gray_publish()
                    ? *command.mutable_gray_publish()->mutable_key()
                    : *command.mutable_gray_remove()->mutable_key();
    key = config_name();
    return command;
  }

  pb::Command naming() {
    pb::Command command;
    const auto place = [this](auto& c) {
      *c.mutable_key() = service_name();
      c.set_ip("1.1.1." + std::to_string(below(3)));
      c.set_port(80);
      c.set_cluster(word());
    };
    switch (below(6)) {
    case 0: {
      auto& c = *command.mutable_service_put();
      *c.mutable_key() = service_name();
      c.set_mode(static_cast<pb::ServicePut::Mode>(below(4)));
      c.mutable_record()->set_ephemeral(below(2) == 0);
      fill(*c.mutable_record()->mutable_metadata());
      for (unsigned i = below(4); i > 0; --i)
        fill(*(*c.mutable_record()->mutable_clusters())[word()]
                  .mutable_metadata());
      break;
    }
    case 1:
      *command.mutable_service_remove()->mutable_key() = service_name();
      break;
    case 2: {
      auto& c = *command.mutable_instance_put();
      *c.mutable_key() = service_name();
      c.mutable_record()->set_ip("1.1.1." + std::to_string(below(3)));
      c.mutable_record()->set_port(80);
      c.mutable_record()->set_cluster(word());
      fill(*c.mutable_record()->mutable_metadata());
      break;
    }
    case 3:
      place(*command.mutable_instance_remove());
      break;
    case 4:
      place(*command.mutable_override_put());
      fill(*command.mutable_override_put()
                ->mutable_record()
                ->mutable_metadata());
      command.mutable_override_put()->set_metadata(
          static_cast<pb::OverridePut::Metadata>(below(4)));
      break;
    default:
      place(*command.mutable_override_remove());
    }
    return command;
  }

  std::mt19937 random_;
  std::uint64_t time_ms_ = 1'000;
};

/// As it comes out of a log: parsed anew, so map order differs.
pb::Command reparsed(const pb::Command& command) {
  pb::Command again;
  REQUIRE(again.ParseFromString(command.SerializeAsString()));
  return again;
}

bool same(const model::outcome& a, const model::outcome& b) {
  return a.code == b.code && a.message == b.message && a.index == b.index
         && a.id == b.id && a.existed == b.existed;
}

/// What must be true of the tables after any command.
void check_tables(const map_state& state) {
  std::map<std::string, std::uint64_t> counts;
  std::size_t configs = 0;
  state.scan(
      table_id::config, {}, [&](std::string_view key, std::string_view value) {
        const auto record = model::config_table::parse(value);
        std::uint32_t grays = 0;
        scan_prefix(state, table_id::gray, key,
                    [&](std::string_view, std::string_view) {
                      ++grays;
                      return true;
                    });
        CHECK(record.gray_count() == grays);
        CHECK(state.get(table_id::config_by_id, key_codec::encode(record.id()))
              == std::string(key));
        ++counts[model::parse_config_key(key).space];
        ++configs;
        return true;
      });
  CHECK(state.count(table_id::config_by_id) == configs);
  const auto told = model::config_counts(state);
  CHECK(std::map<std::string, std::uint64_t>(told.begin(), told.end())
        == counts);
  CHECK(state.count(table_id::history)
        == state.count(table_id::history_by_time));
}

} // namespace

TEST_CASE("apply: replay and snapshot + tail give equal tables and outcomes") {
  const partition_id partition{5};
  for (unsigned seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    generator commands(seed);
    map_state live;
    std::vector<pb::Command> log;
    std::vector<model::outcome> outcomes;
    map_state exported;
    const std::size_t cut = 100 + seed;
    for (std::size_t i = 0; i < 300; ++i) {
      if (i == cut)
        exported = live;
      log.push_back(commands.next());
      const auto before = live.rows;
      const auto done =
          model::apply(log.back(), partition, log_index{i + 1}, live);
      outcomes.push_back(done.result);
      if (done.result.code != errc::ok && log.back().sequence() == 0)
        REQUIRE(live.rows == before);
      for (const auto& e : done.events)
        if (const auto* c = std::get_if<model::config_changed>(&e.what))
          check_same(c->now, model::load_config(live, c->key));
    }
    check_tables(live);
    map_state replayed;
    for (std::size_t i = 0; i < log.size(); ++i) {
      const auto command = reparsed(log[i]);
      const log_index index{i + 1};
      REQUIRE(same(model::apply(command, partition, index, replayed).result,
                   outcomes[i]));
      if (i >= cut)
        REQUIRE(same(model::apply(command, partition, index, exported).result,
                     outcomes[i]));
    }
    CHECK(replayed.rows == live.rows);
    CHECK(exported.rows == live.rows);
  }
}

TEST_CASE_FIXTURE(model_fixture, "apply: a repeated proposal is applied once") {
  auto command = publish("one");
  command.set_client(7);
  command.set_sequence(1);
  const auto first = apply(command);
  CHECK(first.events.size() == 1);
  apply(publish("two"));
  const auto before = state.rows;
  const auto again = apply(command);
  CHECK(same(again.result, first.result));
  CHECK(again.events.empty());
  CHECK(state.rows == before);
  CHECK(load()->formal->content == "two");

  auto other = command;
  other.set_client(8);
  CHECK(apply(other).events.size() == 1);

  auto lost = publish("three", "wrong");
  lost.set_client(7);
  lost.set_sequence(2);
  const auto refused = apply(lost);
  CHECK(refused.result.code == errc::aborted);
  CHECK(same(apply(lost).result, refused.result));
}

TEST_CASE_FIXTURE(model_fixture, "apply: the memory of proposals is bounded") {
  constexpr std::uint64_t window = 131'072;
  auto command = remove();
  command.set_client(7);
  command.set_sequence(1);
  const auto first = apply(command);
  last += window - 1;
  CHECK(apply(command).result.index == first.result.index);
  last = window;
  auto next = command;
  next.set_sequence(2);
  apply(next); // stands a window behind the first: takes its place
  CHECK(state.count(table_id::dedupe) == 2);
  CHECK(apply(command).result.index != first.result.index);
}

TEST_CASE_FIXTURE(model_fixture,
                  "apply: a command of no known kind is refused") {
  const auto done = apply({});
  CHECK(done.result.code == errc::unimplemented);
  CHECK(done.events.empty());
  CHECK(state.rows.empty());
}

TEST_CASE("records: equal messages are equal bytes, maps included") {
  const auto filled = [](int from, int to, int step) {
    pb::ServiceRecord record;
    for (int i = from; i != to; i += step) {
      (*record.mutable_metadata())[std::to_string(i)] = "v";
      auto& cluster = (*record.mutable_clusters())[std::to_string(i)];
      (*cluster.mutable_metadata())["a" + std::to_string(i)] = "v";
    }
    return to_bytes(record);
  };
  CHECK(filled(0, 100, 1) == filled(99, -1, -1));
  CHECK(filled(0, 100, 1) != filled(0, 99, 1));
}

TEST_CASE("ids and partitions are part of the disk format") {
  CHECK(model::make_id(partition_id{5}, log_index{3}) == 3 * 4096 + 5);
  // FNV-1a 64 of "public\0DEFAULT_GROUP" and "\0", by an independent program.
  CHECK(model::config_partition("public", "DEFAULT_GROUP", 16).value
        == 1 + 18289745375449118681ULL % 16);
  CHECK(model::config_partition("", "", 1'000'003).value
        == 1 + 12638153115695167455ULL % 1'000'003);
  std::map<std::uint64_t, int> used;
  for (int i = 0; i < 10'000; ++i)
    ++used[model::config_partition("public", "g" + std::to_string(i), 16)
               .value];
  CHECK(used.size() == 16);
  CHECK(used.begin()->first == 1);
  CHECK(used.rbegin()->first == 16);
  for (const auto& [partition, n] : used)
    CHECK(n > 400);
}
