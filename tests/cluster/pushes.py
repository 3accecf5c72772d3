"""L4 and L8 over gRPC: listeners that are told by pushes, lose their node and go on at
another one with what they know (md5), one of them a slow reader."""

import hashlib
import statistics
import time

from cluster.client import CONNECT_S_MAX, GrpcClient
from cluster.history import OK
from cluster.load import Party
from cluster.stage import p99
from support.grpc_pushes import PushedConnection

LISTENERS = 4
LOOK_EVERY_S = 0.5
# The slow one does not read for so long.
SLOW_S = 2.5


def key_of(told):
    return f"{told['group']}/{told['dataId']}"


class PushClient(GrpcClient):
    def listen(self, known):
        """Begins to listen; the keys that are not as in `known` are returned."""
        def item(key, content):
            md5 = hashlib.md5(content.encode()).hexdigest() if content is not None else ""
            return {**self._names(key), "md5": md5}
        if not self._connected():
            return None
        try:
            _, body = self._connection.call("ConfigBatchListenRequest", {
                "listen": True, "configListenContexts": [item(*each) for each in known.items()]})
        except (OSError, ValueError):
            self.close()
            return None
        if body.get("resultCode") != 200:
            return None
        return [key_of(each) for each in body["changedConfigs"]]

    def pushed(self, wait_s):
        """Keys that the server says have changed; None when the connection is lost."""
        try:
            self._connection.wait(wait_s)
        except (OSError, ValueError):
            self.close()
            return None
        taken, self._connection.pushes[:] = list(self._connection.pushes), []
        return [key_of(body) for kind, body in taken if kind == "ConfigChangeNotifyRequest"]

    @property
    def is_open(self):
        return self._connection is not None

    def _open(self):
        return PushedConnection(self.node.host, self.node.sdk_port, CONNECT_S_MAX)


class PushListener(Party):
    """Knows contents from pushes alone."""

    client_kind = PushClient
    PATIENCE_S = 5

    def __init__(self, name, nodes, history, seed, gate, probes, slow):
        super().__init__(name, nodes, history, seed, gate)
        self._probes = {probe.key: probe for probe in probes}
        self._slow = slow
        self._listens = None  # the client that does
        self.known = dict.fromkeys(self._probes)
        self.told = 0
        self.listens = 0
        self.took_ms = []

    def act(self):
        if self._listens is not self._client or not self._client.is_open:
            changed = self._client.listen(self.known)
            self._listens = self._client if changed is not None else None
            self.listens += changed is not None
        else:
            if self._slow:
                self._ended.wait(SLOW_S)
            changed = self._client.pushed(LOOK_EVERY_S)
        if changed is None:
            return False
        return all(self._learn(key) for key in changed)

    def _learn(self, key):
        done = self._client.get(key)
        if done is None or done[0] != OK:
            self._listens = None  # what was told must not be forgotten
            return False
        self.told += 1
        self.known[key] = done[1]
        since = self._probes[key].acknowledged_ns(done[1])
        if since is not None:
            self.took_ms.append((time.monotonic_ns() - since) / 1e6)
        return True

    def stop(self):
        super().stop()
        self._client.abort()


def told_by_push(stage):
    """Nodes die and their listeners go elsewhere."""
    listeners = [stage.load.listen(PushListener, f"pushed-{n}", stage.nodes,
                                   stage.load.probes, n == 0) for n in range(LISTENERS)]
    for number in stage.rounds(3):
        victim = stage.nodes[number % len(stage.nodes)]
        stage.play(2)
        since = time.monotonic_ns()
        stage.cluster.kill9([victim])
        stage.wait_for_progress(since, f"kill -9 of {victim.name}")
        stage.cluster.start([victim])
    stage.play(1)
    took = [ms for each in listeners[1:] for ms in each.took_ms]
    assert took, "nobody was told of anything"
    stage.figures |= {"pushes_read": sum(each.told for each in listeners),
                      "listens": sum(each.listens for each in listeners),
                      "notify_ms_p50": round(statistics.median(took)),
                      "notify_ms_p99": round(p99(took))}
    assert all(each.told for each in listeners), "a listener was told of nothing"
