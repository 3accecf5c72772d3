"""N6: the time of day of one node jumps. Only that: clocks that measure how long
something takes go on, as they do when an operator or a time server sets the time."""

import json
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path

from cluster.lives import EXPIRY_BOUND_S, check_living
from cluster.population import Population
from cluster.stage import p99
from support.server import wait_until

HOUR_S, DAY_S = 3600, 86400
STEPS_S = (DAY_S, -HOUR_S, HOUR_S, -DAY_S)
# The library looks at its file once a second.
SEEN_S_MAX, NEAR_S = 15, 60


def environment(path):
    """Of a node whose time of day is so many seconds ahead as is in that file."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "the package faketime is not installed"
    return {"LD_PRELOAD": str(libraries[0]), "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1"}


def time_of_day(node):
    """By that node, as it says where it knows no such path."""
    try:
        urllib.request.urlopen(node.url("/no/such/path"), timeout=10).close()
    except urllib.error.HTTPError as answer:
        return datetime.fromisoformat(json.load(answer)["timestamp"]).timestamp()
    raise AssertionError("there is no path that a node does not know")


def set_clock(stage, node, ahead_s):
    stage.cluster.turn(node, f"{ahead_s:+d}")

    def is_set():
        return abs(time_of_day(node) - time.time() - ahead_s) < NEAR_S
    wait_until(is_set, SEEN_S_MAX, f"the clock of {node.name} is {ahead_s:+d} s ahead",
               pause_s=0.2)


def clock_steps(stage):
    delays_ms, steps = [], 0
    with Population(stage.nodes, stage.rng.random(), beating=150, clients=20,
                    of_each=10) as population:
        for number in stage.rounds(2):
            node = stage.rng.choice(stage.nodes)
            if number == 0:
                dead = population.bury(beating=20, clients=2)
            since = time.monotonic_ns()
            set_clock(stage, node, STEPS_S[number % len(STEPS_S)])
            stage.wait_for_progress(since, f"the clock of {node.name} jumped")
            stage.play_until(since, 4, 30)
            if number == 1:
                delays_ms += population.wait_until_gone(dead, EXPIRY_BOUND_S)
            set_clock(stage, node, 0)
            steps += 2
        check_living(stage, population)
    stage.figures |= {"clock_steps": steps, "expired": len(delays_ms) // len(stage.nodes),
                      "expiry_delay_p99_ms": round(p99(delays_ms))}
    assert min(delays_ms) > -500, f"{min(delays_ms):.0f} ms: gone before their time"
