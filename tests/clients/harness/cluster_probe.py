"""What plain HTTP shows of a cluster while SDKs work on it: what is the server's part."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter, defaultdict

from cluster.client import HttpClient
from cluster.history import OK, History
from cluster.load import Load
from support.server import wait_until

from .context import GROUP

LOOK_EVERY_S = 0.1
# After a fault, as in tests/cluster.
RETURN_S_MAX = 20


def hosts(node, service):
    """Addresses of instances as this node lists them; None if it does not serve."""
    query = urllib.parse.urlencode({"serviceName": service, "groupName": GROUP})
    try:
        with urllib.request.urlopen(node.url(f"/v1/ns/instance/list?{query}"),
                                    timeout=5) as answer:
            return {each["ip"] for each in json.load(answer)["hosts"]}
    except (urllib.error.URLError, OSError):
        return None


@contextlib.contextmanager
def probing(nodes, seed, outages_ms):
    """HTTP clients that try these nodes in turn, each with a group of its own, while the
    body does something bad. Adds how long each then had no write acknowledged."""
    load = Load(nodes, History(), seed, workers=0, probes=8, listeners=0)
    with load:
        since = time.monotonic_ns()
        yield
        wait_until(lambda: None not in load.outages(since), RETURN_S_MAX,
                   "every group takes writes again")
        outages_ms += [round(each) for each in load.outages(since)]


def wait_for_contents(nodes, keys):
    """Until each node shows the last acknowledged write of all keys."""
    for node in nodes:
        client = HttpClient(node, History().recorder("agreement"))
        for key in keys:
            wanted = (OK, key.content(key.last_acknowledged))
            wait_until(lambda key=key, wanted=wanted, client=client:
                       client.get(f"{key.group}/{key.data_id}") == wanted,
                       RETURN_S_MAX, f"{node.name} shows {wanted[1]!r}")
        client.close()


class Watcher(threading.Thread):
    """Asks every node for the instances of services again and again."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self._nodes = nodes
        self._known = {}
        self._ended = threading.Event()
        self.looks = Counter()
        self.missing = defaultdict(list)

    def expect(self, service, ips):
        """From now on every node has to list these."""
        self._known[service] = set(ips)

    def run(self):
        while not self._ended.wait(LOOK_EVERY_S):
            for node in self._nodes:
                for service in list(self._known):
                    self._look(node, service)

    def _look(self, node, service):
        wanted, asked_at = self._known[service], time.strftime("%X")
        listed = hosts(node, service)
        if listed is None:
            return
        self.looks[service] += 1
        if lost := wanted - listed:
            self.missing[service].append(
                f"{service}: {node.name} did not list {sorted(lost)} ({asked_at})")

    def stop(self):
        self._ended.set()
        if self.is_alive():
            self.join()
