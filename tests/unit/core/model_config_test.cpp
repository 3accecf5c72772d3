// Configs: publish, compare-and-set, remove, grays, history, ids, counts.
#include "tests/unit/core/model_fixture.hpp"

using namespace muster;
using namespace muster::test;
using model::config_changed;

TEST_CASE_FIXTURE(model_fixture, "config: an insert tells all it made") {
  auto command = publish("one");
  command.mutable_config_publish()->set_app_name("shop");
  command.mutable_config_publish()->set_user("ann");
  command.mutable_config_publish()->set_source_ip("1.2.3.4");
  const auto done = apply(command);
  CHECK(done.result.code == errc::ok);
  CHECK_FALSE(done.result.existed);
  CHECK(done.result.index == log_index{1});
  CHECK(done.result.id == model::make_id(partition, log_index{1}));
  const auto change = only<config_changed>(done);
  CHECK(change.created);
  CHECK_FALSE(change.removed);
  CHECK(change.content_changed);
  CHECK(done.events[0].partition == partition);
  CHECK(done.events[0].index == log_index{1});
  REQUIRE(change.now);
  CHECK(change.now->revision == 1);
  CHECK(change.now->formal->content == "one");
  CHECK(change.now->formal->app_name == "shop");
  CHECK(change.now->formal->modify_time_ms == 1'000);
  check_same(change.now, load());

  const auto rows = history();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].op() == "I");
  CHECK(rows[0].content() == "one");
  CHECK(rows[0].publish_type() == "formal");
  CHECK(rows[0].user() == "ann");
  CHECK(rows[0].source_ip() == "1.2.3.4");
  CHECK(rows[0].change_time_ms() == 1'000);
}

TEST_CASE_FIXTURE(model_fixture, "config: an update keeps id and create time") {
  const auto id = apply(publish("one")).result.id;
  now = 2'000;
  const auto done = apply(publish("two"));
  CHECK(done.result.existed);
  CHECK(done.result.id == id);
  const auto change = only<config_changed>(done);
  CHECK_FALSE(change.created);
  CHECK(change.content_changed);
  check_same(change.now, load());
  const auto record =
      model::config_table::get(state, model::key_of(config())).value();
  CHECK(record.create_time_ms() == 1'000);
  CHECK(record.modify_time_ms() == 2'000);
  CHECK(record.revision() == 2);
  const auto rows = history();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].op() == "U");
  CHECK(rows[0].content() == "one");
  CHECK(rows[0].md5() == "md5 of one");
  CHECK(rows[0].change_time_ms() == 2'000);
  CHECK(rows[0].create_time_ms() == 1'000);
  CHECK(rows[0].nid() > rows[1].nid());
}

TEST_CASE_FIXTURE(model_fixture, "config: the same content wakes nobody") {
  apply(publish("one"));
  now = 2'000;
  auto again = publish("one");
  again.mutable_config_publish()->set_type("json");
  const auto change = only<config_changed>(apply(again));
  CHECK_FALSE(change.content_changed);
  CHECK(change.now->formal->modify_time_ms == 2'000);
  CHECK(change.now->formal->type == "json");
  CHECK(history().size() == 2);
}

TEST_CASE_FIXTURE(model_fixture, "config: what an absent field does") {
  auto first = publish("one");
  auto& c = *first.mutable_config_publish();
  c.set_app_name("shop");
  c.set_tags("a,b");
  c.set_description("desc");
  c.set_usage("use");
  c.set_effect("effect");
  c.set_schema("schema");
  c.set_encrypted_data_key("key");
  apply(first);
  apply(publish("two"));
  const auto stored = [this] {
    return model::config_table::get(state, model::key_of(config())).value();
  };
  CHECK(stored().app_name() == "shop");
  CHECK(stored().tags() == "a,b");
  CHECK(stored().description().empty());
  CHECK(stored().usage().empty());
  CHECK(stored().effect().empty());
  CHECK(stored().schema().empty());
  CHECK(stored().encrypted_data_key().empty());
  const auto before = history(1).at(0);
  CHECK(before.tags() == "a,b");
  CHECK(before.description() == "desc");
  CHECK(before.usage() == "use");
  CHECK(before.effect() == "effect");
  CHECK(before.schema() == "schema");
  CHECK(before.encrypted_data_key() == "key");

  auto blank = publish("three");
  blank.mutable_config_publish()->set_tags("");
  blank.mutable_config_publish()->set_app_name("");
  apply(blank);
  CHECK(stored().tags().empty());
  CHECK(stored().app_name().empty());
}

TEST_CASE_FIXTURE(model_fixture, "config: compare and set") {
  // Absent: whatever the md5 says, it is an insert.
  CHECK(apply(publish("one", "anything")).result.code == errc::ok);
  const auto before = state.rows;
  const auto lost = apply(publish("two", "md5 of ONE"));
  CHECK(lost.result.code == errc::aborted);
  CHECK_FALSE(lost.result.message.empty());
  CHECK(lost.events.empty());
  CHECK(state.rows == before);
  CHECK(apply(publish("two", "md5 of one")).result.code == errc::ok);
  CHECK(load()->formal->content == "two");
}

TEST_CASE_FIXTURE(model_fixture, "config: of racing writers one wins a round") {
  apply(publish("0"));
  int won = 0;
  for (int round = 0; round < 20; ++round) {
    const auto seen = load()->formal->md5;
    // All read the same state, then their commands stand in the log in turn.
    for (int writer = 0; writer < 5; ++writer) {
      const auto content = std::to_string(round) + "/" + std::to_string(writer);
      const auto done = apply(publish(content, seen));
      CHECK((done.result.code == errc::ok) == (writer == 0));
      won += done.result.code == errc::ok ? 1 : 0;
    }
  }
  CHECK(won == 20);
  CHECK(load()->formal->content == "19/0");
  CHECK(history().size() == 21);
}

TEST_CASE_FIXTURE(model_fixture, "config: remove, and again with a new id") {
  const auto nothing = apply(remove());
  CHECK(nothing.result.code == errc::ok);
  CHECK_FALSE(nothing.result.existed);
  CHECK(nothing.events.empty());
  CHECK(state.rows.empty());

  const auto id = apply(publish("one")).result.id;
  const auto done = apply(remove());
  CHECK(done.result.existed);
  CHECK(done.result.id == id);
  const auto change = only<config_changed>(done);
  CHECK(change.removed);
  CHECK(change.content_changed);
  CHECK(change.now == nullptr);
  CHECK(load() == nullptr);
  CHECK(state.count(table_id::config_by_id) == 0);
  CHECK(state.count(table_id::config_count) == 0);
  const auto rows = history();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].op() == "D");
  CHECK(rows[0].content() == "one");
  CHECK(apply(publish("one")).result.id != id);
}

TEST_CASE_FIXTURE(model_fixture, "config: counts and ids follow") {
  const auto in = [](const std::string& space, const std::string& data_id) {
    auto command = publish("x");
    auto& key = *command.mutable_config_publish()->mutable_key();
    key.set_namespace_id(space);
    key.set_data_id(data_id);
    return command;
  };
  apply(in("a", "1"));
  const auto id = apply(in("a", "2")).result.id;
  apply(in("a", "2"));
  apply(in("b", "1"));
  using counts = std::vector<std::pair<std::string, std::uint64_t>>;
  CHECK(model::config_counts(state) == counts{{"a", 2}, {"b", 1}});
  const auto key =
      state.get(table_id::config_by_id, key_codec::encode(id)).value();
  CHECK(model::parse_config_key(key) == config_key{"a", "g", "2"});
  CHECK(model::config_names(state, "a")
        == std::vector<config_key>{{"a", "g", "1"}, {"a", "g", "2"}});
  CHECK(model::config_names(state, "c").empty());
}

TEST_CASE_FIXTURE(model_fixture, "gray: alone, beside and after a formal one") {
  const auto first = apply(gray("beta", "b1", 9));
  CHECK_FALSE(first.result.existed);
  CHECK(only<config_changed>(first).content_changed);
  CHECK_FALSE(only<config_changed>(first).created);
  REQUIRE(load());
  CHECK_FALSE(load()->formal);
  apply(gray("tag_b", "t", 1));
  apply(gray("tag_a", "t", 1));
  const auto published = only<config_changed>(apply(publish("one")));
  CHECK(published.created);
  check_same(published.now, load());
  REQUIRE(load()->grays.size() == 3);
  CHECK(load()->grays[0]->name == "beta");
  CHECK(load()->grays[1]->name == "tag_a");
  CHECK(load()->grays[2]->name == "tag_b");
  const auto updated = only<config_changed>(apply(publish("two")));
  check_same(updated.now, load());

  const auto removed = only<config_changed>(apply(remove()));
  REQUIRE(removed.now);
  CHECK(removed.removed);
  CHECK_FALSE(removed.now->formal);
  CHECK(removed.now->grays.size() == 3);
  check_same(removed.now, load());
}

TEST_CASE_FIXTURE(model_fixture, "gray: updates, history and no-change") {
  apply(publish("one"));
  const auto id = apply(gray("tag_x", "g1")).result.id;
  now = 2'000;
  const auto again = apply(gray("tag_x", "g1"));
  CHECK(again.result.existed);
  CHECK(again.result.id == id);
  CHECK_FALSE(only<config_changed>(again).content_changed);
  auto rule = gray("tag_x", "g1");
  rule.mutable_gray_publish()->set_expression("z");
  CHECK(only<config_changed>(apply(rule)).content_changed);
  CHECK(only<config_changed>(apply(gray("tag_x", "g2"))).content_changed);
  const auto gone = apply(gray_remove("tag_x"));
  CHECK(gone.result.existed);
  CHECK(only<config_changed>(gone).content_changed);
  CHECK(load()->grays.empty());
  const auto none = apply(gray_remove("tag_x"));
  CHECK(none.result.code == errc::ok);
  CHECK_FALSE(none.result.existed);
  CHECK(none.events.empty());

  const auto rows = history();
  REQUIRE(rows.size() == 6);
  const std::vector<std::pair<std::string, std::string>> want{
      {"D", "g2"}, {"U", "g1"}, {"U", "g1"}, {"U", "g1"}, {"I", "g1"}};
  for (std::size_t i = 0; i < want.size(); ++i) {
    CHECK(rows[i].op() == want[i].first);
    CHECK(rows[i].content() == want[i].second);
    CHECK(rows[i].publish_type() == "gray");
    CHECK(rows[i].gray_name() == "tag_x");
  }
  CHECK(
      rows[4].gray_rule()
      == R"({"type":"tag","version":"1.0.0","expr":"x\"y\u000a","priority":1})");
}

TEST_CASE_FIXTURE(model_fixture, "gray: no more than so many, updates pass") {
  for (int i = 0; i < 10; ++i)
    CHECK(apply(gray("tag_" + std::to_string(i), "x")).result.code == errc::ok);
  const auto before = state.rows;
  CHECK(apply(gray("tag_more", "x")).result.code == errc::out_of_range);
  CHECK(state.rows == before);
  CHECK(apply(gray("tag_3", "y")).result.code == errc::ok);
  auto two = gray("tag_more", "x");
  two.mutable_gray_publish()->set_max_versions(11);
  CHECK(apply(two).result.code == errc::ok);
}

TEST_CASE_FIXTURE(model_fixture, "config: the revision rises with any change") {
  std::uint64_t revision = 0;
  for (const auto& command :
       {gray("a", "1"), gray("b", "1"), gray_remove("a"), publish("1"),
        gray("a", "2"), gray_remove("a"), gray("b", "2"), remove(),
        gray("a", "1"), gray_remove("b"), publish("2")}) {
    apply(command);
    REQUIRE(load());
    CHECK(load()->revision > revision);
    revision = load()->revision;
  }
}

TEST_CASE_FIXTURE(model_fixture, "history: pages from the newest on") {
  for (int i = 0; i < 10; ++i)
    apply(publish(std::to_string(i)));
  const auto first = history(4);
  REQUIRE(first.size() == 4);
  CHECK(first[0].content() == "8");
  const auto next =
      model::history(state, {"public", "g", "d"}, first.back().nid(), 100);
  REQUIRE(next.size() == 6);
  CHECK(next[0].content() == "4");
  CHECK(next[5].op() == "I");
  CHECK(model::history(state, {"public", "g", "d"}, 0, 0).empty());
  CHECK(model::history(state, {"public", "g", "other"}, 0, 9).empty());
}

TEST_CASE_FIXTURE(model_fixture, "history: trim by time, bounded") {
  for (int i = 0; i < 10; ++i) {
    now = 1'000 + static_cast<std::uint64_t>(i);
    apply(publish(std::to_string(i)));
  }
  const auto trim = [](std::uint64_t before_ms, std::uint32_t limit) {
    pb::Command command;
    command.mutable_history_trim()->set_before_ms(before_ms);
    command.mutable_history_trim()->set_limit(limit);
    return command;
  };
  CHECK_FALSE(apply(trim(5'000, 0)).result.existed);
  CHECK(history().size() == 10);
  CHECK(apply(trim(1'007, 4)).result.existed);
  CHECK(history().size() == 6);
  CHECK(history().back().change_time_ms() == 1'004);
  CHECK(apply(trim(1'007, 4)).result.existed);
  CHECK_FALSE(apply(trim(1'007, 4)).result.existed);
  CHECK(history().size() == 3);
  CHECK(state.count(table_id::history_by_time) == 3);
  CHECK(load()->formal->content == "9");
}

TEST_CASE_FIXTURE(model_fixture, "config: an update costs one read") {
  apply(publish("one"));
  state.gets = state.scans = state.puts = 0;
  apply(publish("two"));
  CHECK(state.gets == 1);
  CHECK(state.scans == 0);
  CHECK(state.puts == 3);
}
