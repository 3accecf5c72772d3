"""One cluster under load, what is done to it, and the judgement at the end."""

import os
import random
import statistics
import time
from pathlib import Path

from cluster.client import HttpClient
from cluster.cluster import Cluster
from cluster.history import OK, History
from cluster.load import Load
from support.server import ROOT, wait_until

# After a disturbance ends, writes have to be taken and nodes have to agree within.
RETURN_S_MAX = 20
SETTLE_S_MAX = 30
# A group that had to wait longer than this for a write was without a leader.
INTERRUPTION_MS_MIN = 500


def p99(values):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


class Stage:
    """As a context manager it is a cluster that serves, under load."""

    def __init__(self, name, network, seed, minutes=0, binary=None, tls=False, spares=0,
                 load=None, knob=None):
        self.name = name
        self.network = network
        self.rng = random.Random(seed)
        self.history = History()
        self.cluster = Cluster(network, name, binary, tls, spares, knob)
        self.load = Load(self.cluster.nodes, self.history, self.rng.random(), **(load or {}))
        # What a scenario adds to the board's line.
        self.figures = {}
        self.interruptions_ms = []
        self._outages_noted = 0
        self.refusals_s = []
        self._minutes = minutes
        self._loaded = False

    def __enter__(self):
        try:
            self.cluster.start()
            self.load.__enter__()
            self._loaded = True
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            if self._loaded:
                self._loaded = False
                self.load.__exit__()
        finally:
            self.cluster.close()

    # -- for scenarios --------------------------------------------------------

    @property
    def nodes(self):
        return self.cluster.nodes

    def rounds(self, count):
        """0, 1, … `count` times, or until the minutes of a long run are over."""
        end = time.monotonic() + 60 * self._minutes
        number = 0
        while number < count or time.monotonic() < end:
            yield number
            number += 1

    def play(self, seconds):
        """Lets the load go on for so long."""
        time.sleep(seconds)

    def play_until(self, since_ns, short_s, long_s=60):
        """Until `short_s` have passed since then; in long runs up to `long_s`."""
        wanted = self.rng.uniform(short_s, long_s) if self._minutes else short_s
        self.play(max(0.0, wanted - (time.monotonic_ns() - since_ns) / 1e9))

    def others(self, node):
        return [each for each in self.nodes if each is not node]

    def client(self, node, name):
        return HttpClient(node, self.history.recorder(f"{name}-{time.monotonic_ns()}"))

    def wait_for_progress(self, since_ns, what):
        """Until every group took a write that was asked for since then."""
        wait_until(lambda: None not in self.load.outages(since_ns), RETURN_S_MAX,
                   f"every group takes writes again after {what}")

    def note_outages(self, since_ns):
        """How long those groups had to wait that were interrupted."""
        self._outages_noted += 1
        self.interruptions_ms += [each for each in self.load.outages(since_ns)
                                  if each >= INTERRUPTION_MS_MIN]

    def wait_for_writes_at(self, node):
        """Until this node takes a write of every group."""
        client = self.client(node, "returned")
        left = {probe.key.split("/")[0] for probe in self.load.probes}

        def all_taken():
            for group in sorted(left):
                done = client.publish(f"{group}/returned", f"{node.name}-{time.monotonic_ns()}")
                if done and done[0] == OK:
                    left.discard(group)
            return not left
        try:
            wait_until(all_taken, RETURN_S_MAX, f"{node.name} takes writes again")
        finally:
            client.close()

    def read_everything(self):
        """What each node shows of each key goes into the history."""
        for node in self.nodes:
            client = self.client(node, "look")
            for key in self.load.all_keys:
                done = client.get(key)
                assert done and done[0] == OK, f"{node.name} answers {done} to a read of {key}"
            client.close()

    # -- the end --------------------------------------------------------------

    def judge(self):
        """Stops the load, lets the cluster settle, and has the history checked. The
        board's figures; AssertionError for what was promised and did not come."""
        assert not self.cluster.dead(), (
            "ended by themselves: " + ", ".join(
                f"{node.name}\n{node.log_tail(10)}" for node in self.cluster.dead()))
        self.load.stop_writers()
        final = self._seal()
        self._wait_for_agreement(final)
        told = self._wait_for_listeners(final)
        self.load.stop_listeners()
        self._loaded = False
        acknowledged = self.history.count(OK)
        logs = Path(os.environ.get("MUSTER_TEST_LOGS", ROOT / "build/test-logs"))
        sums = self.history.check(logs / f"cluster-{self.name}.jsonl")
        figures = {
            "operations": int(sums["operations"]), "unknown": int(sums["unknown"]),
            "violations": int(sums["violations"]), "undecided": int(sums["undecided"]),
            "acked_writes": acknowledged, "lost": int(sums["violations"]),
            "changes_told": told, **self._outage_figures(), **self.figures}
        if self.refusals_s:
            figures["refusal_s_max"] = round(max(self.refusals_s), 1)
        return figures, sums["findings"]

    def _outage_figures(self):
        waits = self.interruptions_ms
        if not waits:
            return {}
        return {"faults": self._outages_noted, "interruptions": len(waits),
                "outage_ms_p50": round(statistics.median(waits)),
                "outage_ms_p99": round(p99(waits))}

    def _seal(self):
        """A last write of every key, each through some node, which has to know what was
        acknowledged before: what it replaces is in the history. The contents."""
        final = {}
        for number, key in enumerate(self.load.all_keys):
            node = self.nodes[number % len(self.nodes)]
            client = self.client(node, "seal")
            content = f"last-{number}"

            def sealed(client=client, key=key, content=content):
                seen = client.get(key)
                if seen is None or seen[0] != OK:
                    return False
                done = (client.swap(key, seen[1], content) if seen[1] is not None
                        else client.publish(key, content))
                # An unknown one may have come through.
                return done in ((OK, True), (OK, None)) or (
                    client.get(key) == (OK, content))
            try:
                wait_until(sealed, RETURN_S_MAX, f"{node.name} takes a last write of {key}")
            finally:
                client.close()
            final[key] = content
        return final

    def _wait_for_agreement(self, final):
        for node in self.nodes:
            client = self.client(node, "agreement")
            left = set(final)

            def agrees(client=client, left=left):
                for key in sorted(left):
                    if client.get(key) == (OK, final[key]):
                        left.discard(key)
                return not left
            try:
                wait_until(agrees, SETTLE_S_MAX, f"{node.name} shows the last writes")
            finally:
                client.close()

    def _wait_for_listeners(self, final):
        """How many changes they were told of."""
        def wrong():
            return [f"{each.name}: {key}" for each in self.load.listeners
                    for key, content in each.known.items() if content != final[key]]
        try:
            wait_until(lambda: not wrong(), SETTLE_S_MAX, "listeners know the last writes")
        except AssertionError:
            raise AssertionError("listeners were not told of the last write: "
                                 + ", ".join(wrong()[:5])) from None
        return sum(each.told for each in self.load.listeners)
