"""N7: disks whose syncs take long, at one node and at all.

What a slow node only follows must go on as before; what it leads may be slow, but is
answered or led by somebody else, and nothing piles up.
"""

import re
import statistics
import time
import urllib.request

from cluster.history import OK
from cluster.lives import peak_rss_mib
from cluster.load import Party
from cluster.stage import RETURN_S_MAX, p99
from support.server import wait_until

# A write may need two syncs of the leader, and is answered within 5 s or is unknown.
SLOW_MS, VERY_SLOW_MS = 300, 1200
EVERY_S = 0.02
# How much longer than with quick disks the median write may take, on a machine that
# does more than this.
FACTOR_MAX, ADDED_MS_MAX = 3, 60
MEMORY_MIB_MAX = 400


def environment(path):
    """Of a node (musterd-fault) whose syncs take so many ms longer as is in that file."""
    return {"FAULT_SYNC_DELAY_FILE": str(path)}


class Timed(Party):
    """Writes one key at one node again and again."""

    def __init__(self, name, nodes, history, seed, gate, group):
        super().__init__(name, nodes, history, seed, gate)
        self.group = group
        self._took = []  # (asked, ms)

    def act(self):
        asked = time.monotonic_ns()
        done = self._client.publish(f"{self.group}/timed", self.new_content())
        if done is None or done[0] != OK:
            return False
        self._took.append((asked, (time.monotonic_ns() - asked) / 1e6))
        self._ended.wait(EVERY_S)
        return True

    def took_since(self, since_ns):
        return [ms for asked, ms in self._took if asked >= since_ns]


def figures_of(node, name):
    """By partition."""
    with urllib.request.urlopen(node.url("/actuator/prometheus"), timeout=10) as answer:
        text = answer.read().decode()
    return {partition: float(value) for partition, value in
            re.findall(rf'^{name}{{[^}}]*partition="(\d+)"[^}}]*}} (\S+)', text, re.MULTILINE)}


def partitions_of(stage, groups):
    """Which partition has each group: the one whose index rises when it is written to
    and nothing else is."""
    node, name, found = stage.nodes[0], "muster_raft_applied_index", {}
    client = stage.client(node, "mapping")
    stage.load.hold()
    stage.play(0.5)

    def rose(group):
        before = figures_of(node, name)
        for n in range(5):
            client.publish(f"{group}/mapping", f"{group}-{n}-{time.monotonic_ns()}")
        after = figures_of(node, name)
        risen = [each for each in after if after[each] - before.get(each, 0) >= 5]
        if len(risen) == 1:
            found[group] = risen[0]
        return group in found
    try:
        for group in groups:
            wait_until(lambda group=group: rose(group), 10, f"one partition has {group}")
    finally:
        client.close()
        stage.load.go_on()
    return found


def led_by(node):
    return {each for each, leads in figures_of(node, "muster_raft_leader").items() if leads}


def slow_disks(stage):
    groups = [probe.key.split("/")[0] for probe in stage.load.probes]
    partitions = partitions_of(stage, groups)
    worst = {"quiet": [], "slow_follower": [], "slow_leader": [], "all_slow": []}
    left = 0
    for number in stage.rounds(1):
        slow = stage.nodes[number % len(stage.nodes)]
        asked = stage.nodes[(number + 1) % len(stage.nodes)]
        timed = [stage.load.join(Timed, f"timed-{number}-{group}", [asked], group)
                 for group in groups]

        def measured(seconds, phase, of):
            since = time.monotonic_ns()
            stage.play(seconds)
            took = [ms for each in of for ms in each.took_since(since)]
            assert took, f"no write was answered: {phase}"
            worst[phase] += took
            return statistics.median(took)

        usual = measured(2, "quiet", timed)
        bound = FACTOR_MAX * usual + ADDED_MS_MAX
        led = led_by(slow)
        followed = [each for each in timed if partitions[each.group] not in led]
        stage.cluster.turn(slow, SLOW_MS)
        median = measured(4, "slow_follower", followed)
        assert median <= bound, (
            f"{median:.0f} ms a write that a slow node follows, {usual:.0f} ms before")

        since = time.monotonic_ns()
        stage.cluster.turn(slow, VERY_SLOW_MS)
        stage.wait_for_progress(since, f"{slow.name} has a very slow disk")
        stage.play_until(since, 5, 20)
        worst["slow_leader"] += [ms for each in timed if each not in followed
                                 for ms in each.took_since(since)]
        left += len(led - led_by(slow))

        since = time.monotonic_ns()
        for node in stage.nodes:
            stage.cluster.turn(node, SLOW_MS)
        stage.wait_for_progress(since, "all disks are slow")
        median = measured(3, "all_slow", timed)
        assert median >= SLOW_MS, f"{median:.0f} ms a write: the disks were not slow"

        for node in stage.nodes:
            stage.cluster.turn(node, 0)
        wait_until(lambda: measured(1, "quiet", timed) <= bound, RETURN_S_MAX,
                   "writes take as long as before")
        for each in timed:
            each.stop()
    memory = max(peak_rss_mib(node) for node in stage.nodes)
    stage.figures |= {f"{phase}_ms_p99": round(p99(took))
                      for phase, took in worst.items() if took}
    stage.figures |= {"groups_given_away": left, "peak_rss_mib": memory}
    assert memory <= MEMORY_MIB_MAX, f"{memory} MiB: something piles up"
