// The Raft core with one voter: a test per rule of the paper that applies.
#include <doctest/doctest.h>

#include "actors/core/raft/fsm.hpp"

using namespace muster;
using namespace muster::raft;

namespace {

constexpr node_id self{7};

fsm::settings sole_voter() {
  fsm::settings s;
  s.self = self;
  s.members.voters = {self};
  return s;
}

auto text(const char* t) { return std::make_shared<const std::string>(t); }

/// A fresh group brought to leadership with all writes durable.
fsm elected() {
  fsm f{sole_voter(), stored_group{}};
  f.tick(steady_time{});
  f.written(f.take_output().write);
  f.written(f.take_output().write);
  f.take_output();
  return f;
}

} // namespace

TEST_CASE("5.2: the own vote counts only once it is durable") {
  fsm f{sole_voter(), stored_group{}};
  CHECK(f.take_output().empty());
  f.tick(steady_time{});
  auto out = f.take_output();
  REQUIRE(out.state);
  CHECK(out.state->term == term_id{1});
  CHECK(out.state->vote == self);
  CHECK(f.current_role() == role::candidate);
  CHECK(f.propose(text("x")).error().code == errc::unavailable);
  f.written(out.write);
  CHECK(f.current_role() == role::leader);
}

TEST_CASE("8: a new leader appends an entry of its term before it commits") {
  stored_group old;
  old.state = {term_id{4}, self};
  old.last = log_index{9};
  old.last_term = term_id{3};
  old.terms = {{term_id{3}, log_index{1}}};
  fsm f{sole_voter(), old};
  f.tick(steady_time{});
  f.written(f.take_output().write);
  auto out = f.take_output();
  REQUIRE(out.entries.size() == 1);
  CHECK(out.entries[0].kind == entry_kind::no_op);
  CHECK(out.entries[0].index == log_index{10});
  CHECK(out.entries[0].term == term_id{5});
  CHECK_FALSE(out.commit); // 5.4.2: entries 1..9 are not committed by counting
  f.written(out.write);
  out = f.take_output();
  CHECK(out.commit == log_index{10});
  CHECK(out.committed.size() == 1);
}

TEST_CASE("an entry is committed when it is durable, not before") {
  auto f = elected();
  const auto a = f.propose(text("a"));
  const auto b = f.propose(text("b"));
  REQUIRE(a);
  REQUIRE(b);
  CHECK(b->index == a->index.next());
  const auto first = f.take_output();
  CHECK(first.entries.size() == 2);
  CHECK_FALSE(first.commit);
  REQUIRE(f.propose(text("c")));
  const auto second = f.take_output();
  f.written(first.write);
  auto out = f.take_output();
  CHECK(out.commit == b->index);
  REQUIRE(out.committed.size() == 2);
  CHECK(*out.committed[0].payload == "a");
  CHECK(*out.committed[1].payload == "b");
  f.written(second.write);
  CHECK(f.take_output().committed.size() == 1);
}

TEST_CASE("a later write report covers the earlier ones") {
  auto f = elected();
  REQUIRE(f.propose(text("a")));
  f.take_output();
  REQUIRE(f.propose(text("b")));
  const auto second = f.take_output();
  f.written(second.write);
  CHECK(f.take_output().committed.size() == 2);
}

TEST_CASE("thesis 6.4: reads wait for a commit of the leader's term") {
  fsm f{sole_voter(), stored_group{}};
  CHECK(f.read_index(1).error().code == errc::unavailable);
  f.tick(steady_time{});
  f.written(f.take_output().write);
  REQUIRE(f.read_index(2));
  const auto no_op = f.take_output();
  CHECK(no_op.reads.empty());
  f.written(no_op.write);
  auto out = f.take_output();
  REQUIRE(out.reads.size() == 1);
  CHECK(out.reads[0].context == 2);
  CHECK(out.reads[0].index == log_index{1});
  REQUIRE(f.propose(text("x")));
  REQUIRE(f.read_index(3));
  out = f.take_output();
  REQUIRE(out.reads.size() == 1);
  CHECK(out.reads[0].index == log_index{1}); // x is not committed yet
}

TEST_CASE("the number of uncommitted proposals is bounded") {
  auto s = sole_voter();
  s.uncommitted_max = 2;
  fsm f{s, stored_group{}};
  f.tick(steady_time{});
  f.written(f.take_output().write);
  f.written(f.take_output().write);
  f.take_output();
  REQUIRE(f.propose(text("a")));
  REQUIRE(f.propose(text("b")));
  CHECK(f.propose(text("c")).error().code == errc::resource_exhausted);
  f.written(f.take_output().write);
  CHECK(f.propose(text("d")));
}

TEST_CASE("who is no member is dismissed at what is committed") {
  fsm f{sole_voter(), stored_group{}};
  CHECK(f.dismissal(node_id{8}).error().code == errc::unavailable);
  f.tick(steady_time{});
  f.written(f.take_output().write);
  const auto no_op = f.take_output();
  CHECK(f.dismissal(node_id{8}).error().code == errc::unavailable);
  f.written(no_op.write);
  CHECK(f.dismissal(self).error().code == errc::failed_precondition);
  CHECK(f.dismissal(node_id{8}) == log_position{term_id{1}, log_index{1}});
  REQUIRE(f.propose(text("x")));
  const auto x = f.take_output();
  CHECK(f.dismissal(node_id{8})->index == log_index{1});
  f.written(x.write);
  CHECK(f.dismissal(node_id{8})->index == log_index{2});
  // Leaders keep their logs.
  CHECK(f.may_give_up({term_id{9}, log_index{9}}).error().code
        == errc::failed_precondition);

  configuration with_learner;
  with_learner.voters = {self};
  with_learner.learners = {node_id{8}};
  REQUIRE(f.change_members(with_learner));
  CHECK(f.dismissal(node_id{9}).error().code == errc::failed_precondition);
  f.written(f.take_output().write);
  CHECK(f.dismissal(node_id{9}));
  CHECK(f.dismissal(node_id{8}).error().code == errc::failed_precondition);
}

TEST_CASE("a log is given up only if it does not go beyond the dismissal") {
  stored_group old;
  old.state = {term_id{4}, node_id{8}};
  old.last = log_index{9};
  old.last_term = term_id{3};
  old.terms = {{term_id{3}, log_index{1}}};
  auto s = sole_voter();
  s.members.voters = {self, node_id{8}};
  const fsm f{s, old};
  CHECK(f.may_give_up({term_id{3}, log_index{9}}));
  // What is behind it in an older term was never committed.
  CHECK(f.may_give_up({term_id{4}, log_index{5}}));
  CHECK(f.may_give_up({term_id{3}, log_index{8}}).error().code
        == errc::failed_precondition);
  CHECK_FALSE(f.may_give_up({term_id{2}, log_index{20}}));
}

TEST_CASE("5.4.1: who begins anew votes and leads as its floor says") {
  stored_group old;
  old.state = {term_id{4}, {}};
  old.floor = {term_id{4}, log_index{7}};
  fsm f{sole_voter(), old};
  // Nor does it believe what it was told of the beginning.
  CHECK(f.members() == configuration{});
  f.tick(steady_time{});
  f.tick(steady_time{milliseconds(5'000)});
  f.step({node_id{8}, self, term_id{4}, timeout_now{}});
  CHECK(f.current_role() == role::follower);
  CHECK(f.take_output().empty());
  const auto asked = [&](log_position last, term_id term) {
    f.step({node_id{8}, self, term, vote_request{last, false, false}});
    auto out = f.take_output();
    f.written(out.write);
    auto later = f.take_output();
    for (auto& m : later.messages)
      out.messages.push_back(m);
    return out.messages.size() == 1
           && std::get<vote_reply>(out.messages[0].body).granted;
  };
  CHECK_FALSE(asked({term_id{4}, log_index{6}}, term_id{5}));
  CHECK_FALSE(asked({term_id{3}, log_index{9}}, term_id{6}));
  CHECK(asked({term_id{4}, log_index{7}}, term_id{7}));
}

TEST_CASE("who gave its replica up is called back by members only") {
  const log_position floor{term_id{4}, log_index{7}};
  const auto calls = [&](std::uint64_t term, decltype(message::body) body) {
    return fsm::calls_back({node_id{8}, self, term_id{term}, std::move(body)},
                           floor);
  };
  CHECK(calls(4, heartbeat{}));
  CHECK(calls(5, append_request{}));
  CHECK_FALSE(calls(3, heartbeat{}));
  CHECK_FALSE(calls(3, append_request{}));
  CHECK(calls(4, vote_request{floor, true, false}));
  CHECK(calls(9, vote_request{{term_id{5}, log_index{1}}, false, false}));
  CHECK_FALSE(calls(9, vote_request{{term_id{4}, log_index{6}}, false, true}));
  CHECK_FALSE(calls(9, vote_reply{}));
  CHECK_FALSE(calls(9, append_reply{}));
  CHECK_FALSE(calls(9, heartbeat_reply{}));
  CHECK_FALSE(calls(9, timeout_now{}));
}

TEST_CASE("a restart continues terms and indexes") {
  stored_group old;
  old.state = {term_id{2}, self};
  old.snapshot.last = {term_id{1}, log_index{5}};
  old.last = log_index{5};
  old.last_term = term_id{1};
  fsm f{sole_voter(), old};
  CHECK(f.commit() == log_index{5});
  f.tick(steady_time{});
  CHECK(f.take_output().state->term == term_id{3});
}
