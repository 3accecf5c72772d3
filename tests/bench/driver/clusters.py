"""Clusters of three and more nodes on this machine, and what they cost."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack

from cluster.cluster import Cluster
from cluster.network import Loopback
from support.server import ROOT, wait_until

from . import loadgen
from .peers import READY_S, Etcd, Rnacos
from .resources import KIB, Row, checked

NODES = 3
# As many as the default number of partitions: writes find all leaders.
GROUPS = 64
# For so long the CPU of nodes that do nothing is added up.
IDLE_S = 20
# Of the contents that fill a cluster, about what Nacos allows.
VALUE_KIB = 64
JOIN_S = 300


class ClusterOf:
    """Servers that are loaded as one."""

    def __init__(self, name, servers):
        self.name = name
        self.servers = servers

    def loadgen_addresses(self):
        ports = [dict(zip(*[iter(each.loadgen_addresses())] * 2))["-http"]
                 for each in self.servers]
        return ["-http", ",".join(ports)]

    def close(self):
        for each in self.servers:
            each.close()


class MusterCluster(Cluster):
    name = "muster"

    def __init__(self, nodes=NODES, spares=0):
        self._network = Loopback(nodes + spares)
        super().__init__(self._network, "bench", spares=spares)

    def start(self):
        super().start()
        return self

    def loadgen_addresses(self):
        return ["-http", ",".join(node.address for node in self.nodes)]

    def cpu_seconds(self):
        return [loadgen.cpu_seconds(node.pid) for node in self.nodes]

    def counted(self, name):
        """A metric, added up over its labels and the nodes."""
        return sum(metric(node, name) for node in self.nodes)

    def disk_bytes(self):
        return [sum(file.stat().st_size for file in node.data.rglob("*") if file.is_file())
                for node in self.nodes]

    def close(self):
        super().close()
        self._network.close()


def metric(node, name):
    with urllib.request.urlopen(node.url("/actuator/prometheus"), timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = [float(line.split()[-1]) for line in lines
              if line.startswith((name + " ", name + "{"))]
    if not values:
        raise RuntimeError(f"there is no metric {name}")
    return sum(values)


class EtcdCluster(ClusterOf):
    def __init__(self):
        super().__init__("etcd", [Etcd(f"etcd-{n}") for n in range(NODES)])

    def start(self):
        members = ",".join(each.as_member() for each in self.servers)
        for each in self.servers:
            each.launch(members)
        for each in self.servers:
            each.wait()
        return self

    @staticmethod
    def available():
        return Etcd.available()


class RnacosCluster(ClusterOf):
    """The first one begins, the others join it."""

    def __init__(self):
        super().__init__("r-nacos", [Rnacos(f"r-nacos-{n}") for n in range(NODES)])

    def start(self):
        first = self.servers[0]
        for number, each in enumerate(self.servers, 1):
            each.args += ["--node-id", str(number)]
            if each is first:
                each.start()
            else:
                each.args += ["--join", f"127.0.0.1:{first.sdk_port}"]
                each.start_once()
        wait_until(self._is_whole, READY_S, "r-nacos is a cluster")
        return self

    def _is_whole(self):
        what = "dataId=whole&group=probe"
        first, *others = self.servers
        try:
            with urllib.request.urlopen(first.url("/v1/cs/configs"),
                                        f"{what}&content=x".encode(), timeout=5):
                pass
            for each in others:
                with urllib.request.urlopen(each.url(f"/v1/cs/configs?{what}"), timeout=5):
                    pass
            return True
        except OSError:
            return False

    @staticmethod
    def available():
        return Rnacos.available()


def _started(stack, nodes=NODES, spares=0):
    cluster = MusterCluster(nodes, spares)
    stack.callback(cluster.close)
    return cluster.start()


def per_write(sizes, _):
    """What one write costs with one, three and five nodes."""
    for nodes in (1, 3, 5):
        with ExitStack() as stack:
            cluster = _started(stack, nodes)
            cpu, syncs = sum(cluster.cpu_seconds()), cluster.counted("muster_log_syncs_total")
            sent = cluster.counted("muster_peer_messages_sent_total") if nodes > 1 else 0
            disk = sum(cluster.disk_bytes())
            run = checked(loadgen.run(cluster, "http-publish", conns=64, keys=10_000,
                                      groups=GROUPS, seconds=sizes["seconds"]), "publish")
            done = run["done"]
            cpu = (sum(cluster.cpu_seconds()) - cpu) / done * 1e6
            syncs = (cluster.counted("muster_log_syncs_total") - syncs) / done
            if nodes > 1:
                sent = (cluster.counted("muster_peer_messages_sent_total") - sent) / done
            disk = (sum(cluster.disk_bytes()) - disk) / done / nodes
        yield Row(f"publishes, {nodes} node{'s'[:nodes > 1]}", run["rps"], "/s",
                  note=f"p99 {run['p99_us'] / 1000:.1f} ms; each: {cpu:.0f} us of CPU over all "
                       f"nodes, {syncs:.2f} syncs, {sent:.2f} messages between nodes, "
                       f"{disk:.0f} bytes of disk a node")


def idle(sizes, _):
    """Three nodes that nobody uses."""
    with ExitStack() as stack:
        cluster = _started(stack)
        loadgen.wait_until_calm(*(node.pid for node in cluster.nodes))
        cpu, sent = cluster.cpu_seconds(), cluster.counted("muster_peer_messages_sent_total")
        time.sleep(IDLE_S)
        cpu = [(after - before) / IDLE_S * 100
               for before, after in zip(cpu, cluster.cpu_seconds())]
        sent = (cluster.counted("muster_peer_messages_sent_total") - sent) / IDLE_S / NODES
        memory = max(node.rss_bytes() for node in cluster.nodes) / KIB / KIB
    yield Row("idle cluster, CPU of a node", max(cpu), "% of a core", 2,
              note=f"16 partitions; {sent:.0f} messages a second and node; {memory:.0f} MiB")


def join(sizes, _):
    """A fourth node gets a copy of everything while clients write."""
    count = max(1, sizes["join-mib"] * KIB // VALUE_KIB)
    # Other groups than those that are filled.
    load = {"conns": 16, "keys": 10_000, "groups": GROUPS - 1}
    with ExitStack() as stack:
        cluster = _started(stack, spares=1)
        fourth, first = cluster.spares[0], cluster.nodes[0]
        checked(loadgen.run(cluster, "http-publish", conns=16, keys=count, groups=GROUPS,
                            value=VALUE_KIB * KIB, count=count), "filling")
        before = checked(loadgen.run(cluster, "http-publish", seconds=2 * sizes["seconds"],
                                     **load), "publish before")
        fourth.start(wait=False)
        with loadgen.held(cluster, "http-publish", held="true", **load) as during:
            begun = time.monotonic()
            cluster.musterctl(first, "add", fourth.address)
            wait_until(fourth.ready, JOIN_S, "the fourth node serves")
            serves = time.monotonic() - begun
            cluster.wait_for_members(
                first, "votes and leaders are even",
                lambda all: all and all[fourth.address]["votes"] > 0
                and max(m["leads"] for m in all.values())
                - min(m["leads"] for m in all.values()) <= 1)
            even = time.monotonic() - begun
        during = checked(during[0], "publish while a node joins")
        size = sum(file.stat().st_size for file in fourth.data.rglob("*") if file.is_file())
    yield Row("fourth node joins: it serves after", serves, "s",
              note=f"{count * VALUE_KIB / KIB:.0f} MiB of configs ({size / KIB / KIB:.0f} MiB on its "
                   f"disk); votes and leaders are even after {even:.1f} s")
    yield Row("fourth node joins: p99 of publishes", during["p99_us"] / before["p99_us"], "x",
              note=f"{before['p99_us'] / 1000:.1f} ms before, {during['p99_us'] / 1000:.1f} ms "
                   f"meanwhile; {before['rps']:.0f}/s before, {during['rps']:.0f}/s meanwhile")


def fail_over(sizes, _):
    """How long writes wait when the nodes of leaders are killed one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, ROOT / "tests/cluster/run.py", "--only", "n1",
             "--minutes", str(sizes["fail-over-minutes"])],
            env={**os.environ, "MUSTER_TEST_LOGS": folder}, capture_output=True, text=True,
            check=False)
    figures = dict(word.split("=", 1) for line in done.stdout.splitlines()
                   if line.startswith("board: ") for word in line.split() if "=" in word)
    if done.returncode or "outage_ms_p99" not in figures:
        raise RuntimeError(done.stdout[-500:])
    yield Row("leader killed: outage p99", float(figures["outage_ms_p99"]), "ms", 3000,
              note=f"p50 {figures['outage_ms_p50']} ms, {figures['faults']} kills, "
                   f"{figures['interruptions']} keys interrupted")


CLUSTERS = {
    "cluster-per-write": per_write,
    "cluster-idle": idle,
    "cluster-join": join,
    "cluster-fail-over": fail_over,
}
