"""L2: what reads show on nodes that are cut off or were asleep, and how old it is.

That a node shows only what was committed, and never something older than it showed
before, is in the history and judged there. Here it is measured how old that is.
"""

import time

from cluster.history import OK
from cluster.load import Party
from cluster.stage import RETURN_S_MAX, p99
from support.server import wait_until

EVERY_S = 0.01
# What a node in touch with the others may be behind at most.
FRESH_MS = 1000
# A node that was away this long shows old contents for certain.
AWAY_S = 4


class Reader(Party):
    """Reads at one node, in turn, the keys of all probes."""

    PATIENCE_S = 5

    def __init__(self, name, nodes, history, seed, gate, probes):
        super().__init__(name, nodes, history, seed, gate)
        self._probes = probes
        self._turn = 0
        self.seen = []  # (asked, by how many ms it was old)
        self.unanswered = []  # when those were asked

    def act(self):
        self._turn += 1
        probe = self._probes[self._turn % len(self._probes)]
        asked = time.monotonic_ns()
        done = self._client.get(probe.key)
        if done is None or done[0] != OK:
            self.unanswered.append(asked)
            return False
        stale = probe.stale_ms(done[1], asked)
        if stale is not None:
            self.seen.append((asked, stale))
        self._ended.wait(EVERY_S)
        return True

    def stale_since(self, since_ns):
        """Of what was asked since then."""
        return [stale for asked, stale in reversed(self.seen) if asked >= since_ns]

    def is_fresh(self, since_ns):
        """Whether the last look at each key asked since then showed nothing old."""
        last = self.seen[-len(self._probes):]
        return (len(last) == len(self._probes) and last[0][0] >= since_ns
                and all(stale < FRESH_MS for _, stale in last))


def away(stage, number):
    """Cuts one node off, or lets it sleep; that node, and how to bring it back."""
    victim = number // 2 % len(stage.nodes)
    node = stage.nodes[victim]
    if number % 2:
        stage.cluster.pause(node)
        return victim, lambda: stage.cluster.resume(node)
    for other in range(len(stage.nodes)):
        if other != victim:
            stage.network.cut_both(victim, other)
    return victim, stage.network.heal


def stale_reads(stage):
    readers = [stage.load.join(Reader, f"reader-{node.name}", [node], stage.load.probes)
               for node in stage.nodes]
    old, catch_up_ms = [], []
    for number in stage.rounds(2):
        stage.play(1)
        since = time.monotonic_ns()
        victim, bring_back = away(stage, number)
        reader = readers[victim]
        stage.wait_for_progress(since, f"{stage.nodes[victim].name} went")
        stage.play_until(since, AWAY_S + 1, 30)
        cut_off = not number % 2
        if cut_off:
            answered = reader.stale_since(since)
            assert answered, "a node that is cut off answered no read"
            assert not [each for each in reader.unanswered if each >= since], (
                "a node that is cut off left reads without an answer")
            assert max(answered) >= 1000 * AWAY_S / 2, (
                f"nothing was old on a node that was cut off: {max(answered):.0f} ms")
            old += answered
        back = time.monotonic_ns()
        bring_back()
        wait_until(lambda back=back: all(each.is_fresh(back) for each in readers),
                   RETURN_S_MAX, "no node shows anything old")
        catch_up_ms.append((time.monotonic_ns() - back) / 1e6)
        old += reader.stale_since(back)
    everything = [stale for each in readers for _, stale in each.seen]
    stage.figures |= {
        "reads": len(everything), "old_reads": len([each for each in everything if each > 0]),
        "stale_ms_p99": round(p99(everything)), "stale_ms_max": round(max(everything)),
        "catch_up_ms_max": round(max(catch_up_ms))}
