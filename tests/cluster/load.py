"""Clients that write, read and listen while the cluster is disturbed."""

import bisect
import random
import threading
import time

from cluster.client import ANSWER_S_MAX, GrpcClient, HttpClient
from cluster.history import OK

GET_SHARE, SWAP_SHARE, DELETE_SHARE = 0.45, 0.22, 0.03
# After a refusal or a lost connection, so that a node that is down is not hammered.
PAUSE_S = 0.03
# How often a client that was let down stays with its node.
STAY_SHARE = 0.3
POLL_HOLD_S = 10
# Every so many workers one speaks gRPC.
GRPC_EVERY = 4


class Party(threading.Thread):
    """A thread with one client that goes from node to node when it is let down."""

    PATIENCE_S = ANSWER_S_MAX
    client_kind = HttpClient

    def __init__(self, name, nodes, history, seed, gate):
        super().__init__(name=name, daemon=True)
        self._rng = random.Random(seed)
        self._nodes = nodes
        self._recorder = history.recorder(name)
        self._client = self._client_of(self._rng.choice(nodes))
        self._ended = threading.Event()
        self._gate = gate
        self._sequence = 0
        self.error = None

    def run(self):
        try:
            while not self._ended.is_set():
                self._gate.wait()
                if not self.act():
                    self._let_down()
        except Exception as problem:  # raised again by `Load`
            self.error = problem
        finally:
            self._client.close()

    def act(self):
        """One request; false if the node let the client down."""
        raise NotImplementedError

    def stop(self):
        self._ended.set()

    def new_content(self):
        self._sequence += 1
        return f"{self.name}-{self._sequence}"

    def _let_down(self):
        self._ended.wait(PAUSE_S)
        node = self.next_node()
        if node is not self._client.node:
            self._client.close()
            self._client = self._client_of(node)

    def _client_of(self, node):
        return self.client_kind(node, self._recorder, self.PATIENCE_S)

    def next_node(self):
        """Where to go after being let down."""
        if self._rng.random() < STAY_SHARE:
            return self._client.node
        return self._rng.choice(self._nodes)


class Worker(Party):
    """Publishes, compares and sets, deletes and reads keys that all workers share."""

    def __init__(self, name, nodes, history, seed, gate, keys):
        super().__init__(name, nodes, history, seed, gate)
        self._keys = keys
        self._seen = {}

    def act(self):
        key, kind = self._rng.choice(self._keys), self._rng.random()
        if kind < GET_SHARE:
            done = self._client.get(key)
            if done and done[0] == OK:
                self._seen[key] = done[1]
        elif kind < GET_SHARE + DELETE_SHARE:
            done = self._client.delete(key)
        elif kind < GET_SHARE + DELETE_SHARE + SWAP_SHARE and self._seen.get(key):
            content = self.new_content()
            done = self._client.swap(key, self._seen[key], content)
            if done == (OK, True):
                self._seen[key] = content
        else:
            done = self._client.publish(key, self.new_content())
        return done is not None and done[0] == OK


class GrpcWorker(Worker):
    client_kind = GrpcClient


class Probe(Party):
    """Publishes one key of its own again and again: its gaps are outages."""

    EVERY_S = 0.03
    # Longer than a node may need to find the next leader.
    PATIENCE_S = 6

    def __init__(self, name, nodes, history, seed, gate):
        super().__init__(name, nodes, history, seed, gate)
        self.key = f"{name}/probe"
        self._acknowledged = []  # (asked, answered) of each
        self._place_of = {}  # contents in the order of `_acknowledged`
        self._turn = self._nodes.index(self._client.node)

    def next_node(self):
        """In turn: whichever nodes serve are soon found."""
        self._turn += 1
        return self._nodes[self._turn % len(self._nodes)]

    def act(self):
        asked = time.monotonic_ns()
        content = self.new_content()
        done = self._client.publish(self.key, content)
        if done and done[0] == OK:
            self._place_of[content] = len(self._acknowledged)
            self._acknowledged.append((asked, time.monotonic_ns()))
            self._ended.wait(self.EVERY_S)
            return True
        return False

    def outage_ms(self, since_ns):
        at = bisect.bisect_left(self._acknowledged, (since_ns, 0))
        if at == len(self._acknowledged):
            return None
        return (self._acknowledged[at][1] - since_ns) / 1e6

    def stall_ms(self, since_ns):
        """The longest time since then without an acknowledged write."""
        answered = [since_ns] + [done for _, done in self._acknowledged if done > since_ns]
        return max((b - a) / 1e6 for a, b in zip(answered, [*answered[1:], time.monotonic_ns()]))

    def stale_ms(self, content, at_ns):
        """How long at that moment a newer content than this one was acknowledged; None
        if this one was not."""
        place = self._place_of.get(content)
        if place is None:
            return None
        if place + 1 >= len(self._acknowledged):
            return 0.0
        return max(0.0, (at_ns - self._acknowledged[place + 1][1]) / 1e6)

    def acknowledged_ns(self, content):
        place = self._place_of.get(content)
        return None if place is None else self._acknowledged[place][1]


class Listener(Party):
    """Holds a long poll over some keys and reads what is said to have changed."""

    def __init__(self, name, nodes, history, seed, gate, keys):
        super().__init__(name, nodes, history, seed, gate)
        self.known = dict.fromkeys(keys)
        self.told = 0

    def act(self):
        changed = self._client.poll(self.known, POLL_HOLD_S)
        if changed is None:
            return False
        for key in changed:
            done = self._client.get(key)
            if done is None or done[0] != OK:
                return False
            self.told += 1
            self.known[key] = done[1]
        return True

    def stop(self):
        super().stop()
        self._client.abort()


class Load:
    """All parties of one cluster. As a context manager it runs until the end. `only`: no
    more than the first nodes have clients."""

    def __init__(self, nodes, history, seed, *, workers=12, probes=8, listeners=3, keys=24,
                 only=None):
        rng = random.Random(seed)
        nodes = nodes[:only]
        # Groups are spread over the partitions.
        self.keys = [f"group-{n}/data-{n}" for n in range(keys)]
        self._gate = threading.Event()
        self._gate.set()
        self._history = history
        self._rng = rng

        def party(kind, number, gate, *more):
            return kind(f"{kind.__name__.lower()}-{number}", nodes, history, rng.random(), gate,
                        *more)
        self.probes = [party(Probe, n, self._gate) for n in range(probes)]
        self._writers = [party(GrpcWorker if n % GRPC_EVERY == 0 else Worker, n, self._gate,
                               self.keys) for n in range(workers)]
        self._writers += self.probes
        self._always = threading.Event()
        self._always.set()
        self.listeners = [party(Listener, n, self._always, self.keys[n::listeners])
                          for n in range(listeners)]

    def __enter__(self):
        for each in (*self.listeners, *self._writers):
            each.start()
        return self

    def __exit__(self, *_):
        self.stop_listeners()
        self.stop_writers()

    def join(self, kind, name, nodes, *more):
        """One more party, which begins at once and ends with the writers."""
        added = kind(name, nodes, self._history, self._rng.random(), self._gate, *more)
        self._writers.append(added)
        added.start()
        return added

    def listen(self, kind, name, nodes, *more):
        """One more listener, which has to know the last contents at the end."""
        added = kind(name, nodes, self._history, self._rng.random(), self._always, *more)
        self.listeners.append(added)
        added.start()
        return added

    def hold(self):
        """No writer begins another request until `go_on`."""
        self._gate.clear()

    def go_on(self):
        self._gate.set()

    def stop_writers(self):
        self.go_on()
        self._stop(self._writers)

    def stop_listeners(self):
        self._stop(self.listeners)

    @property
    def all_keys(self):
        return self.keys + [probe.key for probe in self.probes]

    def stalls(self, since_ns):
        """Of each group, the longest time since then without a write, ms."""
        return [probe.stall_ms(since_ns) for probe in self.probes]

    def outages(self, since_ns):
        """For each probe: how many ms until a write asked for since then was
        acknowledged, None if none is yet."""
        return [probe.outage_ms(since_ns) for probe in self.probes]

    @staticmethod
    def _stop(parties):
        for each in parties:
            each.stop()
        for each in parties:
            each.join()
            if each.error:
                raise each.error
