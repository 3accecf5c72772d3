"""Clients that move to where a server sends them, as Java's and Go's do."""

import json
import urllib.request

from support.grpc_connection import DATA, GrpcConnection
from support.nacos_payload import decode
from support.server import SDK_OFFSET, wait_until

CLIENTS = 30
SERVICE = "moving"
SETTLE_S_MAX = 30
# Looks at a client between its move and its registering there: Java's waits up to 3 s.
REDO_AFTER_LOOKS = 20


class Connection(GrpcConnection):
    """Keeps what the server pushes, to be looked at between requests."""

    def __init__(self, host, port):
        self._pushed = b""
        super().__init__(host, port, module="naming")

    def take_pushes(self):
        """(type, body) of what came before the last answer."""
        out = []
        while len(self._pushed) >= 5:
            size = int.from_bytes(self._pushed[1:5], "big")
            if len(self._pushed) < 5 + size:
                break
            out.append(decode(self._pushed[5:5 + size]))
            self._pushed = self._pushed[5 + size:]
        return out

    def answer_push(self, kind, push):
        message = self._payload(kind, {"requestId": push["requestId"],
                                       "resultCode": 200, "success": True})
        while self._window < len(message):
            self._read_frame()
        self._window -= len(message)
        self._socket.sendall(self._frame(DATA, 0, self._pushes_stream, message))

    def _take_aside(self, kind, stream, payload):
        if kind == DATA and stream == self._pushes_stream:
            self._pushed += payload


class MovingClient:
    """Registers one instance and subscribes to all of them. On a reset it connects to
    the other server, closes the old connection, and does its work anew a while later."""

    def __init__(self, nodes, node, number):
        self._addresses = [each.address for each in nodes]
        self.address = node.address
        self.instance_port = 1000 + number
        self.seen = []
        self.moves = 0
        self.cut_off = 0
        self._redo_in = 0
        self._connection = self._connect()
        self._register()

    def look(self):
        """Takes what the server has sent meanwhile."""
        try:
            self._connection.call("HealthCheckRequest", {}, "internal")
        except OSError:
            # On a busy machine it may have no time to go when it is asked to.
            self.cut_off += 1
            others = [each for each in self._addresses if each != self.address]
            self._move(others[self.cut_off % len(others)])
            return
        for kind, push in self._connection.take_pushes():
            if kind == "NotifySubscriberRequest":
                self._connection.answer_push("NotifySubscriberResponse", push)
                self.seen.append({host["port"] for host in push["serviceInfo"]["hosts"]})
            elif kind == "ConnectResetRequest":
                self._connection.answer_push("ConnectResetResponse", push)
                self._move(f"{push['serverIp']}:{push['serverPort']}")
                return
        if self._redo_in:
            self._redo_in -= 1
            if not self._redo_in:
                self._register()

    @property
    def settled(self):
        return not self._redo_in

    def close(self):
        self._connection.close()

    def _move(self, address):
        assert address != self.address, f"sent from {address} to {address}"
        self.address = address
        self.moves += 1
        before, self._connection = self._connection, self._connect()
        before.close()
        self._redo_in = REDO_AFTER_LOOKS

    def _connect(self):
        host, port = self.address.rsplit(":", 1)
        return Connection(host, int(port) + SDK_OFFSET)

    def _register(self):
        instance = {"ip": "10.1.1.1", "port": self.instance_port, "weight": 1.0,
                    "healthy": True, "enabled": True, "ephemeral": True,
                    "clusterName": "DEFAULT", "metadata": {}}
        self._ask("InstanceRequest", {"type": "registerInstance", "instance": instance})
        self._ask("SubscribeServiceRequest", {"subscribe": True, "clusters": ""})

    def _ask(self, kind, body):
        body |= {"namespace": "public", "groupName": "DEFAULT_GROUP",
                 "serviceName": SERVICE}
        answer = self._connection.call(kind, body, "naming")[1]
        assert answer["resultCode"] == 200, f"{kind}: {answer}"


class Crowd:
    """Clients, all on one node at first; nobody may miss one of their instances."""

    def __init__(self, nodes, first, count=CLIENTS):
        self._nodes = nodes
        self.clients = [MovingClient(nodes, first, number) for number in range(count)]
        self.ports = {client.instance_port for client in self.clients}
        wait_until(lambda: all(self._listed(node) == self.ports for node in nodes),
                   SETTLE_S_MAX, "all nodes show all instances")
        # What was pushed while they came is not looked at.
        for client in self.clients:
            client.look()
            client.seen.clear()

    def look(self, nodes=None):
        """One look of each client, and at what nodes show; AssertionError if an
        instance is missing anywhere."""
        for client in self.clients:
            client.look()
            for ports in client.seen:
                assert ports >= self.ports, (
                    f"a push left out {sorted(self.ports - ports)}")
            client.seen.clear()
        for node in self._nodes if nodes is None else nodes:
            ports = self._listed(node)
            assert ports == self.ports, (
                f"{node.address} left out {sorted(self.ports - ports)}")

    def look_until(self, condition, what, nodes=None):
        def seen():
            self.look(nodes)
            return condition()
        wait_until(seen, SETTLE_S_MAX, what)

    def settled(self):
        return all(client.settled for client in self.clients)

    def count_at(self, node):
        return sum(client.address == node.address for client in self.clients)

    def close(self):
        for client in self.clients:
            client.close()

    @staticmethod
    def _listed(node):
        told = fetch(node, f"/v1/ns/instance/list?serviceName={SERVICE}")
        return {host["port"] for host in json.loads(told)["hosts"]}


def fetch(node, path, method="GET"):
    request = urllib.request.Request(node.url(path), method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def loads(node):
    """SDKs by node, as one of them says; {} until all have answered."""
    told = json.loads(fetch(node, "/v3/admin/core/loader/cluster"))["data"]
    if not told["completed"]:
        return {}
    return {row["address"]: row["sdkConCount"] for row in told["detail"]}


def spread(counts):
    """Nobody has too many, or nobody too few: then nobody is asked to move."""
    if not counts:
        return False
    average = sum(counts) // len(counts)
    return max(counts) <= int(average * 1.1) or min(counts) >= int(average * 0.9)


def spread_clients(stage):
    """All clients are on one node; any node is asked to spread them."""
    for turn in stage.rounds(1):
        nodes = stage.nodes
        crowd = Crowd(nodes, nodes[turn % len(nodes)])
        try:
            for number in range(100):
                before = sum(client.moves for client in crowd.clients)
                fetch(nodes[number % len(nodes)],
                      "/v3/admin/core/loader/smartReloadCluster", "POST")
                crowd.look_until(crowd.settled, "all who moved are registered")
                if spread(loads(nodes[0]).values()):
                    break
                stage.play(0.1)
            counts = loads(nodes[0])
            assert number < 99, f"the clients are not spread: {counts}"
            moved = sum(client.moves for client in crowd.clients)
            assert moved >= before and moved >= len(crowd.clients) // 2, counts
            assert min(map(crowd.count_at, nodes)) >= 4, counts
        finally:
            crowd.close()


def stop_in_turn(stage):
    """Each node is stopped and started, and sends its clients elsewhere first."""
    crowd = Crowd(stage.nodes, stage.nodes[0])
    try:
        for number in stage.rounds(len(stage.nodes)):
            victim = stage.nodes[number % len(stage.nodes)]
            others = [node for node in stage.nodes if node is not victim]
            victim.process.terminate()
            crowd.look_until(lambda: not crowd.count_at(victim) and crowd.settled(),
                             f"the clients of {victim.name} are elsewhere", others)
            code = victim.stop(20)
            assert code == 0, f"{victim.name} ended with {code}"
            crowd.look(others)
            stage.cluster.start([victim])
            crowd.look_until(crowd.settled, "all are registered")
        cut_off = sum(client.cut_off for client in crowd.clients)
        sent = sum(client.moves for client in crowd.clients) - cut_off
        stage.figures |= {"sent_elsewhere": sent, "cut_off": cut_off}
        assert sent, "nobody was asked to move"
    finally:
        crowd.close()
