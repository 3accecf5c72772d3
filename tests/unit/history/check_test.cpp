// Histories of which a person can tell whether they are right.
#include <doctest/doctest.h>

#include "tests/unit/history/told.hpp"

using namespace muster::history;

namespace {

struct row {
  const char* name;
  told history;
  verdict expected;
};

constexpr auto right = verdict::linearizable;
constexpr auto wrong = verdict::violation;

const row registers[] = {
    {"nothing at all", told{}, right},
    {"nothing is stored at first", told{}.read("", 0, 1), right},
    {"a read sees a write", told{}.publish("a", 0, 1).read("a", 2, 3), right},
    {"a stale read",
     told{}.publish("a", 0, 1).publish("b", 2, 3).read("a", 4, 5), wrong},
    {"either order of two writes at once",
     told{}.publish("a", 0, 9).publish("b", 0, 9).read("a", 10, 11), right},
    {"but only one of them",
     told{}
         .publish("a", 0, 9)
         .publish("b", 0, 9)
         .read("a", 10, 11)
         .read("b", 12, 13),
     wrong},
    {"a read during a write may see both",
     told{}.publish("a", 0, 1).publish("b", 2, 9).read("b", 3, 4).read("b", 5,
                                                                       6),
     right},
    {"but not first the new and then the old",
     told{}.publish("a", 0, 1).publish("b", 2, 9).read("b", 3, 4).read("a", 5,
                                                                       6),
     wrong},
    {"moments that touch are at once",
     told{}.publish("a", 0, 5).publish("b", 5, 6).read("a", 7, 8), right},
    {"a deleted content",
     told{}.publish("a", 0, 1).remove(2, 3).read("a", 4, 5), wrong},
    {"nothing after a delete",
     told{}.publish("a", 0, 1).remove(2, 3).read("", 4, 5), right},
    {"nothing without a delete", told{}.publish("a", 0, 1).read("", 2, 3),
     wrong},
    {"a content that nobody stored", told{}.publish("a", 0, 1).read("z", 2, 3),
     wrong},
    {"a content that is read before it is stored",
     told{}.read("a", 0, 1).publish("a", 2, 3), wrong},
    {"the same content twice",
     told{}.publish("a", 0, 1).publish("b", 2, 3).publish("a", 4, 5).read("a",
                                                                          6, 7),
     right},
};

const row swaps[] = {
    {"a swap of what is stored",
     told{}.publish("a", 0, 1).swap("a", "b", true, 2, 3).read("b", 4, 5),
     right},
    {"a lost update: two swaps of the same",
     told{}
         .publish("a", 0, 1)
         .swap("a", "b", true, 2, 9)
         .swap("a", "c", true, 2, 9),
     wrong},
    {"one of two is refused",
     told{}
         .publish("a", 0, 1)
         .swap("a", "b", true, 2, 9)
         .swap("a", "c", false, 2, 9)
         .read("b", 10, 11),
     right},
    {"a refused swap stores nothing",
     told{}.publish("a", 0, 1).swap("z", "c", false, 2, 3).read("c", 4, 5),
     wrong},
    {"refused for no reason",
     told{}.publish("a", 0, 1).swap("a", "b", false, 2, 3), wrong},
    {"where nothing is stored a swap stores",
     told{}.swap("z", "a", true, 0, 1).read("a", 2, 3), right},
    {"where nothing is stored it is not refused",
     told{}.swap("z", "a", false, 0, 1), wrong},
    {"an update between read and swap is lost",
     told{}.publish("a", 0, 1).publish("x", 2, 3).swap("a", "b", true, 4, 5),
     wrong},
};

const row outcomes[] = {
    {"a failed write did not happen",
     told{}.publish("a", 0, 1).publish("b", 2, 3, fate::failed).read("a", 4, 5),
     right},
    {"a read of a failed write",
     told{}.publish("a", 0, 1).publish("b", 2, 3, fate::failed).read("b", 4, 5),
     wrong},
    {"a failed delete",
     told{}.publish("a", 0, 1).remove(2, 3, fate::failed).read("", 4, 5),
     wrong},
    {"an unknown write that did not happen",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3, fate::unknown)
         .read("a", 9, 10),
     right},
    {"one that happened late",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3, fate::unknown)
         .read("a", 9, 10)
         .read("b", 11, 12),
     right},
    {"one that happened before it was asked for",
     told{}.publish("a", 0, 1).read("b", 2, 3).publish("b", 4, 5,
                                                       fate::unknown),
     wrong},
    {"one that happened twice",
     told{}
         .publish("b", 0, 1, fate::unknown)
         .read("b", 2, 3)
         .publish("c", 4, 5)
         .read("c", 6, 7)
         .read("b", 8, 9),
     wrong},
    {"an unknown delete, late",
     told{}
         .publish("a", 0, 1)
         .remove(2, 3, fate::unknown)
         .read("a", 4, 5)
         .read("", 6, 7),
     right},
    {"an unknown delete is one delete",
     told{}
         .publish("a", 0, 1)
         .remove(2, 3, fate::unknown)
         .read("", 4, 5)
         .publish("b", 6, 7)
         .read("", 8, 9),
     wrong},
    {"two unknown deletes are two",
     told{}
         .publish("a", 0, 1)
         .remove(2, 3, fate::unknown)
         .remove(2, 3, fate::unknown)
         .read("", 4, 5)
         .publish("b", 6, 7)
         .read("", 8, 9),
     right},
    {"an unknown write that nobody read explains a refusal",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3, fate::unknown)
         .swap("a", "c", false, 4, 5),
     right},
    {"but not that what it overwrote comes back",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3, fate::unknown)
         .swap("a", "c", false, 4, 5)
         .read("a", 6, 7),
     wrong},
    {"an unknown swap that happened",
     told{}
         .publish("a", 0, 1)
         .swap("a", "b", false, 2, 3, fate::unknown)
         .read("b", 4, 5),
     right},
    {"an unknown swap whose moment had gone",
     told{}
         .publish("a", 0, 1)
         .publish("x", 2, 3)
         .swap("a", "b", false, 4, 5, fate::unknown)
         .read("b", 6, 7),
     wrong},
};

const row local_reads[] = {
    {"another node may be behind",
     told{}.publish("a", 0, 1).publish("b", 2, 3).at("n2").local("a", 4, 5),
     right},
    {"the node that answered may not",
     told{}.publish("a", 0, 1).publish("b", 2, 3).local("a", 4, 5), wrong},
    {"a node does not go back",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3)
         .at("n2")
         .local("b", 4, 5)
         .local("a", 6, 7),
     wrong},
    {"two nodes may be differently far",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3)
         .at("n2")
         .local("b", 4, 5)
         .at("n3")
         .local("a", 6, 7),
     right},
    {"nobody sees what comes",
     told{}.at("n2").local("a", 0, 1).at("n1").publish("a", 2, 3), wrong},
    {"what was seen is committed",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 9)
         .at("n2")
         .local("b", 3, 4)
         .at("n1")
         .read("a", 5, 6),
     wrong},
    {"a refused swap says how far its node is",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3)
         .at("n2")
         .swap("a", "c", false, 4, 5)
         .local("a", 6, 7),
     wrong},
    {"an unknown write says nothing of its node",
     told{}
         .publish("a", 0, 1)
         .publish("b", 2, 3, fate::unknown)
         .at("n2")
         .local("b", 4, 5)
         .at("n1")
         .local("a", 6, 7),
     right},
};

void check_rows(std::span<const row> rows) {
  for (const auto& each : rows) {
    CAPTURE(each.name);
    CHECK(each.history.check() == each.expected);
    // What is told of a violation is one by itself.
    const auto core = offending(each.history.all());
    CHECK(core.empty() == (each.expected == right));
    if (each.expected == wrong)
      CHECK(check_key(core) == wrong);
  }
}

} // namespace

TEST_CASE("registers") {
  check_rows(registers);
}

TEST_CASE("compare-and-set") {
  check_rows(swaps);
}

TEST_CASE("failed and unknown outcomes") {
  check_rows(outcomes);
}

TEST_CASE("local reads") {
  check_rows(local_reads);
}

TEST_CASE("a search that is cut short has proved nothing") {
  told two;
  two.publish("a", 0, 9).publish("b", 0, 9).read("a", 10, 11);
  CHECK(check_key(two.all(), {.steps_max = 1}) == verdict::undecided);
  CHECK(check_key(two.all(), {.memory_bytes_max = 0}) == verdict::undecided);
}

TEST_CASE("of a long history only the offending operations are told") {
  told h;
  for (int i = 0; i < 500; ++i)
    h.publish("v" + std::to_string(i), 10 * i, 10 * i + 1)
        .read("v" + std::to_string(i), 10 * i + 2, 10 * i + 3);
  h.read("v300", 3055, 3056);
  const auto core = offending(h.all());
  REQUIRE(core.size() == 3);
  CHECK(core[0].content == "v300");
  CHECK(core[1].invoked > core[0].returned);
  CHECK(core[2].invoked == 3055);
}
