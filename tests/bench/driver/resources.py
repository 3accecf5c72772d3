"""Fan-out, memory, CPU, start-up, and whether the cost of one stays flat."""

import resource
import statistics
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

from support.server import wait_until

from . import loadgen
from .peers import Muster, Rnacos

MIB = 1 << 20
KIB = 1 << 10
# For so long the CPU of one that does nothing is added up.
IDLE_WATCH_S = 10
# Files a server needs besides its clients' connections.
SPARE_FILES = 300


class Row:
    """A figure with its target: met if `value` is on the right side of `limit`."""

    def __init__(self, name, value, unit, limit=None, at_least=False, note=""):
        self.name, self.value, self.unit, self.note = name, value, unit, note
        self.limit, self.at_least = limit, at_least

    @property
    def met(self):
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self):
        return {**vars(self), "met": self.met}


def raise_file_limit():
    """Servers and generator inherit it; returns how many files one process may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for wanted in (max(hard, 65536), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def checked(result, what):
    if result["errors"]:
        raise RuntimeError(f"{what}: {result['errors']} errors, {result.get('last_error')}")
    return result


def _fresh(stack, kind=Muster):
    peer = kind()
    stack.callback(peer.close)
    return peer.start()


def fanout(sizes, name):
    """p99 from the publisher's answer to the arrival at each of n gRPC listeners."""
    listeners = sizes[name]
    kinds = [Muster, Rnacos] if Rnacos.available() and name == "fanout-1000" else [Muster]
    p99 = {}
    with ExitStack() as stack:
        peers = [_fresh(stack, kind) for kind in kinds]
        for peer in peers:
            runs = [loadgen.run(peer, "fanout", conns=listeners) for _ in range(sizes["rounds"])]
            p99[peer.name] = statistics.median(run["p99_us"] for run in runs) / 1000
            lost = sum(run.get("missing", 0) for run in runs)
            yield Row(f"{name} {peer.name} never told", lost, "listeners",
                      0 if peer.name == "muster" else None)
    for peer, value in p99.items():
        limit = 100 if name == "fanout-5000" and peer == "muster" else None
        yield Row(f"{name} {peer} p99", value, "ms", limit, note=f"{listeners} listeners")
    if "r-nacos" in p99:
        yield Row(f"{name} p99 / r-nacos", p99["muster"] / p99["r-nacos"], "x", 0.5)


def idle(sizes, name):
    """KiB of the server and its CPU for clients that are there and do nothing."""
    clients = min(sizes["idle"], sizes["files"] - SPARE_FILES)
    with ExitStack() as stack:
        muster = _fresh(stack)
        checked(loadgen.run(muster, "fill-configs", keys=1000), "fill-configs")
        loadgen.wait_until_calm(muster.pid)
        before = muster.rss_bytes()
        with loadgen.held(muster, name, conns=clients, keys=1000) as results:
            loadgen.wait_until_calm(muster.pid)
            cpu = loadgen.cpu_seconds(muster.pid)
            time.sleep(IDLE_WATCH_S)
            cpu = (loadgen.cpu_seconds(muster.pid) - cpu) / IDLE_WATCH_S
            grown = muster.rss_bytes() - before
        yield Row(f"{name} memory of each", grown / clients / KIB, "KiB",
                  note=f"{clients} clients")
        yield Row(f"{name} CPU", cpu * 100, "% of a core", 2)
        if name == "idle-polls":
            yield Row(f"{name} answered early", results[0]["errors"], "polls", 0)


def start_up(sizes, _):
    """From exec to the first answer that needs a stored config."""
    with ExitStack() as stack:
        muster = _fresh(stack)
        checked(loadgen.run(muster, "fill-configs", keys=10_000), "fill-configs")
        url = muster.url("/v1/cs/configs?dataId=key-9999&group=bench")
        took = []
        for _ in range(sizes["rounds"]):
            muster.stop()
            start = time.monotonic()
            muster.start(wait=False)
            wait_until(lambda: _answers(url), 60, "an answer", pause_s=0.002)
            took.append(time.monotonic() - start)
    yield Row("start to first answer", statistics.median(took), "s", 0.5,
              note="10,000 configs on disk")


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def memory(sizes, _):
    """Idle; then with many configs and instances."""
    n = sizes["many"]
    with ExitStack() as stack:
        muster = _fresh(stack)
        loadgen.wait_until_calm(muster.pid)
        yield Row("memory idle", muster.rss_bytes() / MIB, "MiB", 40)
        checked(loadgen.run(muster, "fill-configs", keys=n), "fill-configs")
        checked(loadgen.run(muster, "fill-instances", keys=n), "fill-instances")
        yield Row("memory loaded", muster.rss_bytes() / MIB, "MiB", 400,
                  note=f"{n:,} configs, {n:,} instances")


def memory_flat(sizes, _):
    """Publishes over the same keys: after the first fifth memory must not grow."""
    count = sizes["publishes"]
    with ExitStack() as stack:
        muster = _fresh(stack)
        marks = []
        for _ in range(5):
            checked(loadgen.run(muster, "http-publish", count=count // 5, keys=10_000),
                     "publish")
            marks.append(muster.rss_bytes() / MIB)
        yield Row("memory growth", marks[-1] / marks[0], "x", 1.1,
                  note=f"{count:,} publishes over 10,000 keys: "
                       + ", ".join(f"{mark:.0f}" for mark in marks) + " MiB")


def get_flat(sizes, _):
    """GET rate with many configs against that with 1,000, alternating."""
    with ExitStack() as stack:
        servers = {}
        for keys in (1000, sizes["many"]):
            servers[keys] = _fresh(stack)
            checked(loadgen.run(servers[keys], "fill-configs", keys=keys), "fill-configs")
        rates = {keys: [] for keys in servers}
        for _ in range(sizes["rounds"]):
            for keys, server in servers.items():
                run = checked(loadgen.run(server, "http-get", keys=keys,
                                           seconds=sizes["seconds"]), "http-get")
                rates[keys].append(run["rps"])
    few, many = (statistics.median(each) for each in rates.values())
    yield Row("GET rate, many / few configs", many / few, "x", 0.9, at_least=True,
              note=f"{few:,.0f}/s with 1,000, {many:,.0f}/s with {sizes['many']:,}")


def register_flat(sizes, _):
    """The last thousand of many instances against the first thousand."""
    with ExitStack() as stack:
        muster = _fresh(stack)
        run = checked(loadgen.run(muster, "register-chunks", keys=sizes["many"]), "register")
    yield Row("register rate, last / first 1,000", run["last_rps"] / run["first_rps"], "x",
              0.9, at_least=True,
              note=f"{run['first_rps']:,.0f}/s, then {run['last_rps']:,.0f}/s; "
                   f"{sizes['many']:,} instances of 1,000 services")


RESOURCES = {
    "fanout-1000": fanout,
    "fanout-5000": fanout,
    "idle-polls": idle,
    "idle-grpc": idle,
    "start-up": start_up,
    "memory": memory,
    "memory-flat": memory_flat,
    "get-flat": get_flat,
    "register-flat": register_flat,
}
