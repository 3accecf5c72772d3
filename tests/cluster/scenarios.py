"""What is done to a cluster. Names and promises are those of the project's plan of
tests: N is network, D is disk and crash, L is what clients see."""

import time
from dataclasses import dataclass
from typing import Callable

from cluster.deaths import deaths
from cluster import clocks, disks
from cluster.history import OK
from cluster.lives import living, returning
from cluster.members import (
    grows_and_shrinks, joins_with_cuts, leaders_move, members_change)
from cluster.moving import spread_clients, stop_in_turn
from cluster.network import Loopback, Namespaces, Relayed
from cluster.pushes import told_by_push
from cluster.reads import stale_reads
from cluster.retries import retries
from cluster.strangers import take_address

# Bounds a client may count on: the wait for a leader (4 s) and for its answer (5 s),
# with room for a busy machine.
REFUSAL_S_MAX = 12
# Shorter than the wait for an answer: that of a dead leader must not be waited for.
LATE_MS = 4500


FEW = {"workers": 2, "probes": 4, "listeners": 1}


@dataclass
class Scenario:
    name: str
    about: str
    network: type
    play: Callable
    # A SIGKILL takes everything with it that was not synced.
    loses_power: bool = False
    # Nodes talk by TLS.
    tls: bool = False
    # Nodes that are in the cluster at first, and such that are not.
    nodes: int = 3
    spares: int = 0
    # How many of what (`Load`); few where something else is measured.
    load: dict | None = None
    # What can be turned at a node while it runs (`Cluster`).
    knob: Callable | None = None


def calm(stage):
    stage.play(5)
    for _ in stage.rounds(0):
        stage.play(5)


def expect_few_late(interruptions_ms):
    late = [each for each in interruptions_ms if each > LATE_MS]
    assert len(late) * 10 <= len(interruptions_ms), (
        f"{len(late)} of {len(interruptions_ms)} groups took no write for "
        f"{LATE_MS} ms after their leader died")


def kill_one(stage):
    """Each node leads a third of the groups."""
    for number in stage.rounds(6):
        victim = stage.nodes[number % len(stage.nodes)]
        stage.play(stage.rng.uniform(0.5, 1.5))
        since = time.monotonic_ns()
        stage.cluster.kill9([victim])
        stage.wait_for_progress(since, f"kill -9 of {victim.name}")
        stage.note_outages(since)
        stage.cluster.start([victim])
    expect_few_late(stage.interruptions_ms)


def crash_cycles(stage):
    """What was acknowledged is looked at before anything is written over it."""
    for number in stage.rounds(5):
        stage.play(stage.rng.uniform(0.2, 1.0))
        share = stage.rng.choice((1, 2, 3)) if number else 3
        victims = stage.rng.sample(stage.nodes, min(share, len(stage.nodes)))
        stage.cluster.kill9(victims)
        stage.load.hold()
        stage.cluster.start(victims)
        stage.read_everything()
        since = time.monotonic_ns()
        stage.load.go_on()
        stage.wait_for_progress(since, "kill -9 of " + ", ".join(v.name for v in victims))


def expect_refusals(stage, node, groups):
    """A node without a majority takes no write, and says so in time."""
    client = stage.client(node, "minority")
    try:
        for group in groups:
            begun = time.monotonic()
            done = client.publish(f"{group}/minority", f"{node.name}-{time.monotonic_ns()}")
            took = time.monotonic() - begun
            assert done and done[0] != OK, f"{node.name} alone answered {done} to a write"
            stage.refusals_s.append(took)
            assert took < REFUSAL_S_MAX, f"{node.name} alone took {took:.1f} s to refuse"
    finally:
        client.close()


def isolate(stage):
    for number in stage.rounds(2):
        victim = number % len(stage.nodes)
        node = stage.nodes[victim]
        stage.play(1)
        since = time.monotonic_ns()
        for other in range(len(stage.nodes)):
            if other != victim:
                stage.network.cut_both(victim, other)
        stage.wait_for_progress(since, f"isolation of {node.name}")
        expect_refusals(stage, node, [stage.rng.choice(stage.load.probes).name])
        stage.play_until(since, 5)
        stage.network.heal()
        stage.wait_for_writes_at(node)


def one_way(stage):
    """A node that is heard and hears nothing, then one that hears and is not heard."""
    for number in stage.rounds(2):
        victim = stage.rng.randrange(len(stage.nodes))
        since = time.monotonic_ns()
        for other in range(len(stage.nodes)):
            if other != victim:
                ends = (other, victim) if number % 2 else (victim, other)
                stage.network.cut(*ends)
        stage.wait_for_progress(since, "a cut in one direction")
        stage.play_until(since, 5)
        stage.network.heal()
        stage.wait_for_writes_at(stage.nodes[victim])


def bridge(stage):
    """Two nodes that do not reach each other, and one that reaches both. In turn both
    have their share of the leaders, or one comes back and is to get it."""
    for number in stage.rounds(2):
        one, other = stage.rng.sample(range(len(stage.nodes)), 2)
        if number % 2:
            stage.cluster.kill9([stage.nodes[other]])
            stage.wait_for_progress(time.monotonic_ns(), "the death of a node")
            stage.nodes[other].start()
        since = time.monotonic_ns()
        stage.network.cut_both(one, other)
        stage.wait_for_progress(since, "a cut between two of three")
        stage.play_until(since, 5)
        # Leaders may have been moved since.
        stage.wait_for_progress(time.monotonic_ns(), "five seconds of that cut")
        stage.network.heal()
        for end in (one, other):
            stage.wait_for_writes_at(stage.nodes[end])


def halves(stage):
    """Nobody has a majority, for longer than anybody waits; then all meet again. What
    a leader had in its log alone may be committed then."""
    for _ in stage.rounds(2):
        stage.play(1)
        count = len(stage.nodes)
        for one in range(count):
            for other in range(one):
                stage.network.cut_both(one, other)
        stage.play_until(time.monotonic_ns(), 7)
        stage.network.heal()
        since = time.monotonic_ns()
        stage.wait_for_progress(since, "a cut between all")


def freeze(stage):
    """A process that stands still believes for a moment that it leads."""
    for number in stage.rounds(2):
        node = stage.nodes[number % len(stage.nodes)]
        stage.play(1)
        since = time.monotonic_ns()
        stage.cluster.pause(node)
        stage.wait_for_progress(since, f"SIGSTOP of {node.name}")
        stage.play_until(since, 5)
        stage.cluster.resume(node)
        stage.wait_for_writes_at(node)


def lossy(stage):
    """A tenth of all packets between nodes is lost."""
    for _ in stage.rounds(1):
        count = len(stage.nodes)
        since = time.monotonic_ns()
        for one in range(count):
            for other in range(count):
                if one != other:
                    stage.network.weaken(one, other)
        stage.wait_for_progress(since, "a loss of 10 %")
        stage.play_until(since, 5)
        stage.network.heal()


def slow_lines(stage):
    """50 to 500 ms each way, at most 1 Mbit/s: more than an election waits."""
    for _ in stage.rounds(1):
        stage.play(1)
        stage.network.relay.delay_s = (0.05, 0.5)
        stage.network.relay.bytes_per_s = 125_000
        stage.play_until(time.monotonic_ns(), 6)
        stage.network.heal()
        since = time.monotonic_ns()
        stage.wait_for_progress(since, "slow lines")


def torn_lines(stage):
    """Connections between nodes end in the middle of a message."""
    for _ in stage.rounds(1):
        since = time.monotonic_ns()
        stage.network.relay.tear(0.003)
        stage.play_until(since, 6)
        stage.network.heal()
        stage.wait_for_progress(since, "torn lines")
    assert stage.network.relay.torn > 0, "no line was torn"


SCENARIOS = [
    Scenario("l1", "v1, v2 and v3 on all nodes, nothing goes wrong", Loopback, calm),
    Scenario("l1-tls", "the same with TLS between the nodes", Loopback, calm, tls=True),
    Scenario("l2", "how old reads are on nodes that are cut off or slept", Namespaces,
             stale_reads),
    Scenario("l3", "clients ask again elsewhere while leaders are killed", Loopback, retries,
             load={"workers": 4}),
    Scenario("l4", "listeners told by gRPC pushes, whose nodes die", Loopback, told_by_push,
             load={"workers": 4}),
    Scenario("l4-five", "the same with five nodes, three of which have each group",
             Loopback, told_by_push, load={"workers": 4}, nodes=5),
    Scenario("l6", "ephemeral instances while nodes die, restart and sleep", Loopback, living,
             load=FEW),
    Scenario("l7", "all nodes die, and all clients come back at once", Loopback, returning,
             load=FEW),
    Scenario("c1", "clients of one node are spread over all", Loopback, spread_clients),
    Scenario("c2", "each node is stopped, its clients go elsewhere first", Loopback,
             stop_in_turn),
    Scenario("n1", "kill -9 of each leader", Loopback, kill_one),
    Scenario("n1-five", "the same with five nodes, three of which have each group",
             Loopback, kill_one, nodes=5),
    Scenario("d1", "kill -9 of one, two and all nodes", Loopback, crash_cycles),
    Scenario("d2", "power loss of one, two and all nodes", Loopback, crash_cycles,
             loses_power=True),
    Scenario("d4", "power loss before some call of a disk, while members change", Loopback,
             deaths, loses_power=True, spares=1),
    Scenario("m1", "each node gives its leaderships away, and gets them back", Loopback,
             leaders_move),
    Scenario("m2", "members come, drain, go, lose their disks", Loopback, members_change,
             spares=1),
    Scenario("m2-five", "three become five and three again, replicas move with them",
             Loopback, grows_and_shrinks, spares=2),
    Scenario("m3", "a node that joins is cut off while it gets its snapshots", Namespaces,
             joins_with_cuts, spares=1),
    Scenario("n5", "SIGSTOP of a leader, then SIGCONT", Loopback, freeze),
    Scenario("n4", "a node of another cluster at a member's address", Loopback, take_address,
             load={"workers": 6, "listeners": 0, "only": 2}),
    Scenario("n6", "the time of day of a node jumps by an hour, by a day", Loopback,
             clocks.clock_steps, load=FEW, knob=clocks.environment),
    Scenario("n7", "slow disks: of one node, of all", Loopback, disks.slow_disks,
             loses_power=True, load={"workers": 4}, knob=disks.environment),
    Scenario("n2-isolate", "each node alone, clients on both sides", Namespaces, isolate),
    Scenario("n2-one-way", "deaf and mute nodes", Namespaces, one_way),
    Scenario("n2-five", "each of five nodes alone, clients on both sides", Namespaces,
             isolate, nodes=5),
    Scenario("n2-bridge", "a node that sees both others", Namespaces, bridge),
    Scenario("n2-halves", "no majority anywhere", Namespaces, halves),
    Scenario("n3-loss", "10 % of packets lost", Namespaces, lossy),
    Scenario("n3-slow", "delay and little bandwidth between nodes", Relayed, slow_lines),
    Scenario("n3-torn", "connections that end within a message", Relayed, torn_lines),
]
