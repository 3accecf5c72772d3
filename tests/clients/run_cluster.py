#!/usr/bin/env python3
"""Real SDKs on a cluster whose nodes are killed, restarted and cut off; see README.md."""

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from clients.harness import cluster_probe  # noqa: E402
from clients.harness.cluster_sdk import ClusterSdk  # noqa: E402
from clients.harness.install import BUILD, INSTALLERS  # noqa: E402
from cluster.cluster import Cluster  # noqa: E402
from cluster.network import (  # noqa: E402
    Loopback, Namespaces, enter_own_network, missing_for_namespaces)
from cluster.scenarios import expect_few_late  # noqa: E402
from cluster.stage import INTERRUPTION_MS_MIN  # noqa: E402
from support.server import wait_until  # noqa: E402

LONG_MINUTES = 3
SHORT_SDKS = ("java3", "go")
LONG_SDKS = ("java3", "java2", "go")
LINES_MAX = 20
# How long a node stays cut off: longer than an election.
CUT_S = 5


class Stage:
    """A cluster with all SDKs at work."""

    def __init__(self, name, sdks, network, options, workdir):
        self.name, self.network = name, network
        self.rng, self._minutes = random.Random(options.seed), options.minutes
        self._commands, self._workdir = sdks, workdir
        self._stack = ExitStack()
        self.cluster = Cluster(network, f"sdks-{name}")
        self._stack.callback(self.cluster.close)
        self._pool = self._stack.enter_context(ThreadPoolExecutor(len(sdks)))
        self.sdks, self.faults = [], 0
        self.outages_ms = {sdk: [] for sdk in sdks}
        self.probed_ms, self.listed_s = [], []

    def __enter__(self):
        try:
            self.cluster.start()
            addresses = [node.address for node in self.nodes]
            self.sdks = [ClusterSdk(sdk, command, addresses, self._workdir)
                         for sdk, command in self._commands.items()]
            for each in self.sdks:
                self._stack.callback(each.close)
            self._each(ClusterSdk.start)
            self.watcher = cluster_probe.Watcher(self.nodes)
            self._wait_until_listed()
            self.watcher.start()
            self._stack.callback(self.watcher.stop)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _each(self, work, *arguments):
        """All SDKs at once."""
        return list(self._pool.map(lambda sdk: work(sdk, *arguments), self.sdks))

    # -- for scenarios --------------------------------------------------------

    @property
    def nodes(self):
        return self.cluster.nodes

    def others(self, node):
        return [each for each in self.nodes if each is not node]

    def rounds(self):
        """All nodes, and again until the minutes of a long run are over."""
        end = time.monotonic() + 60 * self._minutes
        yield self.nodes
        while time.monotonic() < end:
            yield self.nodes

    def each_node(self):
        """Each node in turn, at a moment of chance."""
        for nodes in self.rounds():
            for node in nodes:
                time.sleep(self.rng.uniform(0.3, 1))
                yield node

    def probing(self, without):
        """While this is done, other clients measure what the nodes that are left do."""
        self.faults += 1
        return cluster_probe.probing(self.others(without), self.rng.random(), self.probed_ms)

    def wait_until_back(self, since):
        self._each(ClusterSdk.wait_until_back, since)

    def note(self, moments):
        """All SDKs are back after faults at these moments: how long they were away, and
        whether they are told of something new."""
        for sdk in self.sdks:
            sdk.note_disturbance(moments[0])
            for since in moments:
                self.outages_ms[sdk.sdk] += sdk.outages_ms(since)
        self._each(ClusterSdk.join)
        self._wait_until_listed()

    def _wait_until_listed(self):
        """Until all nodes list all instances: from then on none may be missing."""
        begun = time.monotonic()
        for sdk in self.sdks:
            wanted = sdk.ips()
            wait_until(lambda sdk=sdk, wanted=wanted: all(
                cluster_probe.hosts(node, sdk.service) == wanted for node in self.nodes),
                cluster_probe.RETURN_S_MAX, f"all nodes list {sorted(wanted)} of {sdk.service}")
            self.watcher.expect(sdk.service, wanted)
        self.listed_s.append(time.monotonic() - begun)

    # -- the end --------------------------------------------------------------

    def judge(self):
        """Prints a line for the board for each SDK; AssertionError for what was wrong."""
        dead = [f"{node.name} ended by itself:\n{node.log_tail(10)}"
                for node in self.cluster.dead()]
        assert not dead, "\n".join(dead)
        listeners = self._each(ClusterSdk.await_last_content)
        self._each(lambda sdk: cluster_probe.wait_for_contents(self.nodes, sdk.keys))
        self.watcher.stop()
        wrong = [line for sdk, count in zip(self.sdks, listeners)
                 for line in self._look_at(sdk, count)]
        self._each(ClusterSdk.leave)
        expect_few_late(interruptions(self.probed_ms))
        assert not wrong, "\n".join(wrong[:LINES_MAX])

    def _look_at(self, sdk, listeners):
        """A line for each thing that was wrong."""
        wrong = sdk.wrong_answers() + self.watcher.missing[sdk.service]
        print(f"board: suite=cluster-sdks scenario={self.name} sdk={sdk.sdk} "
              f"faults={self.faults} sdk_writes={sum(key.writes for key in sdk.keys)} "
              f"sdk_reads={sum(key.reads for key in sdk.keys)} wrong={len(wrong)} "
              f"listeners={listeners} {percentiles('sdk', self.outages_ms[sdk.sdk])} "
              f"{percentiles('server', self.probed_ms)} told_s_max={max(sdk.told_s):.1f} "
              f"late_listeners={sdk.late_listeners} "
              f"listed_s_max={max(self.listed_s):.1f} "
              f"lists_seen={self.watcher.looks[sdk.service]}", flush=True)
        return wrong


def interruptions(waits_ms):
    return sorted(each for each in waits_ms if each >= INTERRUPTION_MS_MIN)


def percentiles(whose, waits_ms):
    waits = interruptions(waits_ms) or [0]
    return (f"{whose}_outage_ms_p50={round(statistics.median(waits))} "
            f"{whose}_outage_ms_p99={waits[min(len(waits) - 1, len(waits) * 99 // 100)]}")


# -- what is done to a cluster -------------------------------------------------


def kill(stage):
    """kill -9 of each node, which leads a third of the groups; it is down until all SDKs
    are back at others."""
    for victim in stage.each_node():
        since = time.monotonic()
        with stage.probing(victim):
            stage.cluster.kill9([victim])
        stage.wait_until_back(since)
        stage.cluster.start([victim])
        stage.note([since])


def rolling(stage):
    """SIGTERM and start of one node after the other, as operators do it: nobody waits for
    clients."""
    for nodes in stage.rounds():
        moments = []
        for node in nodes:
            moments.append(time.monotonic())
            with stage.probing(node):
                node.stop()
            node.start()
        stage.wait_until_back(moments[-1])
        stage.note(moments)


def partition(stage):
    """Each node is cut off from the others, but not from its clients. SDKs stay with a
    node that answers, so those that are at it have to wait until the cut is healed."""
    for victim in stage.each_node():
        since, index = time.monotonic(), stage.nodes.index(victim)
        with stage.probing(victim):
            for other in range(len(stage.nodes)):
                if other != index:
                    stage.network.cut_both(index, other)
        time.sleep(max(0.0, since + CUT_S - time.monotonic()))
        stage.network.heal()
        stage.wait_until_back(time.monotonic())
        stage.note([since])


SCENARIOS = {"kill": (kill, Loopback), "rolling": (rolling, Loopback),
             "partition": (partition, Namespaces)}


# -- running it ----------------------------------------------------------------


def chosen(text, known, default):
    names = text.split(",") if text else default
    if unknown := set(names) - set(known):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return list(names)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    long = os.environ.get("MUSTER_TEST_LONG") == "1"
    parser.add_argument("--sdk", help=f"comma list of {', '.join(LONG_SDKS)}")
    parser.add_argument("--scenario", help=f"comma list of {', '.join(SCENARIOS)}")
    parser.add_argument("--minutes", type=float, default=LONG_MINUTES if long else 0,
                        help="each scenario goes on for so long; 0: its short form")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="keep logs of SDKs")
    options = parser.parse_args()
    options.sdks = chosen(options.sdk, LONG_SDKS, LONG_SDKS if long else SHORT_SDKS)
    options.scenarios = chosen(options.scenario, SCENARIOS, SCENARIOS)
    return options


def play(name, sdks, options, workdir):
    scenario, network_kind = SCENARIOS[name]
    network = network_kind(3)
    try:
        with Stage(name, sdks, network, options, workdir / name) as stage:
            scenario(stage)
            stage.judge()
    finally:
        network.close()


def main():
    options = parse()
    # Whoever ends this also ends the nodes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    sdks = {sdk: INSTALLERS[sdk]() for sdk in options.sdks}
    no_namespaces = missing_for_namespaces()
    if not no_namespaces:
        enter_own_network()
    # What could not be read from a node is not to look like an old answer of it.
    os.environ["MUSTER_TEST_NO_SNAPSHOTS"] = "1"
    workdir = Path(tempfile.mkdtemp(prefix="run-", dir=BUILD))
    passed = failed = skipped = 0
    for name in options.scenarios:
        if SCENARIOS[name][1] is not Loopback and no_namespaces:
            print(f"SKIP: {name}: {no_namespaces}")
            skipped += 1
            continue
        begun = time.monotonic()
        try:
            play(name, sdks, options, workdir)
            passed += 1
            print(f"ok: {name} ({time.monotonic() - begun:.0f} s)")
        except Exception as problem:  # the other scenarios are played all the same
            failed += 1
            print(f"FAIL: {name}: {problem}\n  again: tests/clients/run_cluster.py "
                  f"--sdk {','.join(sdks)} --scenario {name} --seed {options.seed}")
            if not isinstance(problem, AssertionError):
                traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    if failed or options.keep:
        print(f"logs of the SDKs: {workdir}")
    else:
        shutil.rmtree(workdir)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
