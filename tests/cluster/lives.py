"""L6 and L7: instances whose clients live stay, dead ones go, and all come back."""

import time
from pathlib import Path

from cluster.population import Population
from cluster.stage import p99
from support.server import wait_until

# How long after its time a dead instance may be shown.
EXPIRY_BOUND_S = 20
# Shorter than the time after which a silent client counts as unhealthy.
PAUSE_S = 4
FULL_SERVICE_S_MAX = 30
# This machine must not have kept more of the clients from beating.
LATE_SHARE_MAX = 0.5


def check_living(stage, population):
    """Nobody who lives was taken for dead."""
    wrong, late = population.false_expiries, population.count_of_late()
    stage.figures |= {"instances": len(population.instances), "late": late,
                      "lists": population.count_of_lists(), "false_expiries": len(wrong)}
    assert not wrong, f"{len(wrong)} live instances were taken for dead: {wrong[:5]}"
    assert late <= LATE_SHARE_MAX * len(population.instances), (
        f"this machine kept {late} clients from beating in time: nothing is shown")


def kill_and_restart(stage, node):
    since = time.monotonic_ns()
    stage.cluster.kill9([node])
    stage.wait_for_progress(since, f"kill -9 of {node.name}")
    stage.play_until(since, 3, 15)
    stage.cluster.start([node])


def pause(stage, node):
    since = time.monotonic_ns()
    stage.cluster.pause(node)
    stage.play_until(since, PAUSE_S, PAUSE_S)
    stage.cluster.resume(node)


def living(stage):
    delays_ms = []
    with Population(stage.nodes, stage.rng.random()) as population:
        # Those of a node that dies are kept for half a minute: its clients may come back.
        delays_ms += population.wait_until_gone(population.bury(clients=5), EXPIRY_BOUND_S)
        for number in stage.rounds(2):
            node = stage.rng.choice(stage.nodes)
            if number % 2:
                pause(stage, node)
            else:
                kill_and_restart(stage, node)
            wait_until(population.is_complete, 20, "every node shows all that live")
            if number % 10 == 1:
                dead = population.bury(beating=40)
                delays_ms += population.wait_until_gone(dead, EXPIRY_BOUND_S)
        check_living(stage, population)
    stage.figures |= {"expired": len(delays_ms) // len(stage.nodes),
                      "expiry_delay_p99_ms": round(p99(delays_ms))}
    assert min(delays_ms) > -500, f"{min(delays_ms):.0f} ms: gone before their time"


def peak_rss_mib(node):
    for line in Path(f"/proc/{node.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError(f"{node.name} has ended")


def returning(stage):
    """All nodes are gone for a while; all clients come back at once."""
    seconds, peaks = [], []
    with Population(stage.nodes, stage.rng.random(), beating=200, clients=100,
                    of_each=10) as population:
        for _ in stage.rounds(1):
            population.unwatched()
            since = time.monotonic_ns()
            stage.cluster.kill9(stage.nodes)
            stage.play_until(since, 3, 60)
            begun = time.monotonic_ns()
            stage.cluster.start()
            wait_until(population.is_complete, FULL_SERVICE_S_MAX, "every client is back")
            stage.wait_for_progress(begun, "an outage of all nodes")
            seconds.append((time.monotonic_ns() - begun) / 1e9)
            assert seconds[-1] <= FULL_SERVICE_S_MAX, f"full service after {seconds[-1]:.1f} s"
            population.watched()
            connections = population.count_of_connections()
            stage.play(4)
            assert population.count_of_connections() == connections, (
                "clients that were back were sent away again")
            peaks += [peak_rss_mib(node) for node in stage.nodes]
        check_living(stage, population)
    stage.figures |= {"full_service_s_max": round(max(seconds), 1),
                      "peak_rss_mib": max(peaks)}
