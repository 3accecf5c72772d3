// Raft messages on the wire and back.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "actors/core/raft/wire.hpp"
#include "muster/peer.pb.h"

using namespace muster;
using namespace muster::raft;

namespace {

/// As text, so that a difference is seen.
std::string shown(const message& m) {
  pb::RaftMessage out;
  to_wire(partition_id{3}, m, out);
  return out.ShortDebugString();
}

message round_trip(const message& m) {
  pb::RaftMessage out;
  to_wire(partition_id{3}, m, out);
  pb::RaftMessage in;
  REQUIRE(in.ParseFromString(out.SerializeAsString()));
  auto back = from_wire(std::move(in));
  REQUIRE(back);
  CHECK(back->first == partition_id{3});
  return std::move(back->second);
}

message with(decltype(message::body) body) {
  return {node_id{~0ULL}, node_id{2}, term_id{7}, std::move(body)};
}

} // namespace

TEST_CASE("wire: every kind of message comes back as it was") {
  const auto text = [](const char* t) {
    return std::make_shared<const std::string>(t);
  };
  const log_position at{term_id{6}, log_index{41}};
  const std::vector<entry> entries{
      {term_id{6}, log_index{42}, entry_kind::command, text("a")},
      {term_id{7}, log_index{43}, entry_kind::no_op, text("")},
      {term_id{7}, log_index{44}, entry_kind::configuration, text("c")}};
  const std::vector<message> all{
      with(vote_request{at, true, false}),
      with(vote_request{at, false, true}),
      with(vote_reply{true, false}),
      with(vote_reply{false, true}),
      with(append_request{at, entries, log_index{40}}),
      with(append_request{at, {}, log_index{40}}),
      with(append_reply{true, log_index{44}, {}}),
      with(append_reply{false, log_index{44}, at}),
      with(heartbeat{log_index{5}, 9}),
      with(heartbeat_reply{9}),
      with(timeout_now{})};
  for (const auto& m : all) {
    const auto back = round_trip(m);
    CHECK(back.body.index() == m.body.index());
    CHECK(back.from == m.from);
    CHECK(back.to == m.to);
    CHECK(back.term == m.term);
    CHECK(shown(back) == shown(m));
  }
  const auto back = round_trip(all[4]);
  const auto& append = std::get<append_request>(back.body);
  REQUIRE(append.entries.size() == 3);
  CHECK(append.entries[2].index == log_index{44});
  CHECK(append.entries[2].kind == entry_kind::configuration);
  CHECK(*append.entries[2].payload == "c");
}

TEST_CASE("wire: what this version does not know is refused") {
  CHECK(from_wire(pb::RaftMessage{}).error().code == errc::invalid_argument);
  pb::RaftMessage odd;
  odd.mutable_append_request()->add_entries()->set_kind(9);
  CHECK(from_wire(std::move(odd)).error().code == errc::invalid_argument);
}
