"""Ephemeral instances that are kept alive by their clients, and watchers at every node
that notice each one that is not shown, or not as healthy, even for a moment."""

import asyncio
import json
import random
import threading
import time
import urllib.parse
from dataclasses import dataclass

from support.grpc_connection import GrpcConnection
from support.grpc_pushes import PushedConnection
from support.server import wait_until

# Of instances with heart-beats; a connected one goes with its connection.
BEAT_EVERY_S, UNHEALTHY_S, DELETE_S = 1.5, 10.0, 12.0
METADATA = {"preserved.heart.beat.interval": str(int(BEAT_EVERY_S * 1000)),
            "preserved.heart.beat.timeout": str(int(UNHEALTHY_S * 1000)),
            "preserved.ip.delete.timeout": str(int(DELETE_S * 1000))}
# A client that this machine kept from beating for so long is not asked about.
LATE_S = 0.8 * UNHEALTHY_S
# Then a client goes to another node.
PATIENCE_S = 2
PING_EVERY_S = 1.0
AGAIN_S = 0.1
GROUP = "DEFAULT_GROUP"
PORT = 8080


@dataclass
class Instance:
    service: str
    ip: str
    beats: bool  # over HTTP; else it lives as long as its connection
    heard_s: float = 0.0  # when that was said which a node took last
    is_late: bool = False
    dies: bool = False
    died_s: float | None = None

    def is_heard(self, said_s):
        if self.heard_s and time.monotonic() - self.heard_s > LATE_S:
            self.is_late = True
        self.heard_s = said_s

    @property
    def counts(self):
        """Whether it has to be shown now."""
        return not (self.dies or self.is_late or time.monotonic() - self.heard_s > LATE_S)


class Beaters(threading.Thread):
    """All clients with heart-beats over HTTP: a connection and a task for each."""

    def __init__(self, nodes, instances, seed):
        super().__init__(name="beaters", daemon=True)
        self._nodes, self._instances = nodes, instances
        self._rng = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._ended = False

    def run(self):
        async def live():
            await asyncio.gather(*map(self._live, self._instances))
        self._loop.run_until_complete(live())

    def stop(self):
        self._ended = True
        self.join(30)

    async def _live(self, instance):
        node, streams = self._rng.choice(self._nodes), None
        await asyncio.sleep(self._rng.uniform(0, BEAT_EVERY_S))
        while not (self._ended or instance.dies):
            begun = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    streams = streams or await asyncio.open_connection(node.host, node.port)
                    taken = await self._beat(streams, instance)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                taken = False
            if taken:
                instance.is_heard(begun)
                await asyncio.sleep(max(0.0, begun + BEAT_EVERY_S - time.monotonic()))
                continue
            if streams:
                streams[1].transport.abort()
            node, streams = self._rng.choice(self._nodes), None
            await asyncio.sleep(AGAIN_S)
        if streams:
            streams[1].transport.abort()
        instance.died_s = instance.heard_s

    @staticmethod
    async def _beat(streams, instance):
        reader, writer = streams
        beat = {"ip": instance.ip, "port": PORT, "cluster": "DEFAULT", "weight": 1,
                "serviceName": f"{GROUP}@@{instance.service}", "metadata": METADATA,
                "scheduled": True}
        query = urllib.parse.urlencode({"serviceName": beat["serviceName"],
                                        "beat": json.dumps(beat)})
        writer.write(f"PUT /nacos/v1/ns/instance/beat?{query} HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 0\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        return head.split()[1] == "200" and json.loads(body).get("code") == 10200


class Connected(threading.Thread):
    """A gRPC client with instances in one service. It registers elsewhere before it
    leaves a node that does not answer."""

    def __init__(self, name, nodes, instances, seed):
        super().__init__(name=name, daemon=True)
        self._nodes, self.instances = nodes, instances
        self._rng = random.Random(seed)
        self._ended = threading.Event()
        self.connections = 0

    def run(self):
        connection = None
        while not self._ended.is_set():
            try:
                if connection is None:
                    connection = self._registered()
                said = time.monotonic()
                connection.call("HealthCheckRequest", {}, "internal")
            except (OSError, ValueError):
                connection = self._replaced(connection)
                continue
            for each in self.instances:
                each.is_heard(said)
            self._ended.wait(PING_EVERY_S)
        if connection:
            connection.close()
        for each in self.instances:
            each.died_s = time.monotonic()

    def _replaced(self, old):
        try:
            return self._registered()
        except (OSError, ValueError):
            self._ended.wait(AGAIN_S)
            return None
        finally:
            if old:
                old.close()

    def _registered(self):
        node = self._rng.choice(self._nodes)
        connection = GrpcConnection(node.host, node.sdk_port, PATIENCE_S, "naming")
        service = self.instances[0].service
        try:
            _, body = connection.call("BatchInstanceRequest", {
                "namespace": "public", "serviceName": service, "groupName": GROUP,
                "type": "batchRegisterInstance",
                "instances": [{"ip": each.ip, "port": PORT, "clusterName": "DEFAULT",
                               "weight": 1.0, "healthy": True, "enabled": True,
                               "ephemeral": True, "serviceName": service, "metadata": {}}
                              for each in self.instances]})
            if body.get("resultCode") != 200:
                raise OSError(f"not registered: {body}")
        except BaseException:
            connection.close()
            raise
        self.connections += 1
        return connection

    def stop(self):
        self._ended.set()


class Watcher(threading.Thread):
    """A subscriber to all services at one node."""

    def __init__(self, node, population):
        super().__init__(name=f"watcher-{node.name}", daemon=True)
        self.node = node
        self._population = population
        self._ended = threading.Event()
        self._connection = None
        self.shown = {}  # service -> address -> healthy
        self.lists = 0
        self.error = None

    def run(self):
        try:
            while not self._ended.is_set():
                try:
                    self._watch()
                except (OSError, ValueError):
                    self.shown = {}
                    self._ended.wait(AGAIN_S)
        except Exception as problem:  # raised again by `Population`
            self.error = problem

    def _watch(self):
        connection = PushedConnection(self.node.host, self.node.sdk_port, module="naming")
        try:
            for service in self._population.services:
                _, body = connection.call("SubscribeServiceRequest", {
                    "namespace": "public", "serviceName": service, "groupName": GROUP,
                    "subscribe": True, "clusters": ""})
                if body.get("resultCode") != 200:
                    raise OSError(f"not subscribed: {body}")
                self._look(service, body["serviceInfo"])
            pinged = time.monotonic()
            while not self._ended.is_set():
                connection.wait(0.2)
                while connection.pushes:
                    kind, body = connection.pushes.pop(0)
                    if kind == "NotifySubscriberRequest":
                        self._look(body["serviceInfo"]["name"].rpartition("@@")[2],
                                   body["serviceInfo"])
                if time.monotonic() - pinged > PING_EVERY_S:
                    connection.call("HealthCheckRequest", {}, "internal")
                    pinged = time.monotonic()
        finally:
            connection.close()

    def _look(self, service, info):
        self.lists += 1
        self.shown[service] = {host["ip"]: host["healthy"] for host in info["hosts"]}
        self._population.looked(self.node, service, self.shown[service])

    def stop(self):
        self._ended.set()


class Population:
    """Instances, half of a client kind in each service, and a watcher for each node. As
    a context manager it is complete at every node and watched."""

    def __init__(self, nodes, seed, *, beating=400, clients=50, of_each=30, services=4):
        rng = random.Random(seed)
        self._nodes, self._rng = nodes, rng
        self.services = [f"service-{n}" for n in range(services)]
        self._of = {service: {} for service in self.services}
        self._beating = [self._add(n, f"10.1.{n // 250}.{n % 250 + 1}", True)
                         for n in range(beating)]
        self._beaters = Beaters(nodes, self._beating, rng.random())
        self._connected = [
            Connected(f"connected-{n}", nodes, [self._add(n, f"10.2.{n}.{i + 1}", False)
                                                for i in range(of_each)], rng.random())
            for n in range(clients)]
        self._watchers = [Watcher(node, self) for node in nodes]
        self._is_watched = False
        self._gone_s = {}  # (address, node) -> when it was not shown first
        self.false_expiries = []

    def _add(self, number, ip, beats):
        service = self.services[number % len(self.services)]
        self._of[service][ip] = Instance(service, ip, beats)
        return self._of[service][ip]

    def __enter__(self):
        for each in (self._beaters, *self._connected, *self._watchers):
            each.start()
        try:
            wait_until(self.is_complete, 30, "every node shows all instances")
        except BaseException:
            self.__exit__()
            raise
        self._is_watched = True
        return self

    def __exit__(self, *_):
        self._is_watched = False
        for each in (*self._watchers, *self._connected):
            each.stop()
        self._beaters.stop()
        for each in (*self._watchers, *self._connected):
            each.join(30)

    # -- what is shown --------------------------------------------------------

    @property
    def instances(self):
        return [each for of in self._of.values() for each in of.values()]

    def count_of_late(self):
        return len([each for each in self.instances if each.is_late])

    def count_of_lists(self):
        return sum(each.lists for each in self._watchers)

    def count_of_connections(self):
        return sum(each.connections for each in self._connected)

    def is_complete(self):
        """Whether every node shows all that live."""
        for each in self._watchers:
            if each.error:
                raise each.error
        return all(each.heard_s for each in self.instances) and all(
            watcher.shown.get(each.service, {}).get(each.ip)
            for watcher in self._watchers for each in self.instances if not each.dies)

    def looked(self, node, service, shown):
        now = time.monotonic()
        if not self._is_watched:
            return
        for ip, each in self._of[service].items():
            if each.dies:
                if ip not in shown:
                    self._gone_s.setdefault((ip, node), now)
            elif not shown.get(ip) and each.counts:
                what = "unhealthy" if ip in shown else "not there"
                self.false_expiries.append(
                    f"{service} {ip} was {what} at {node.name}, heard of "
                    f"{now - each.heard_s:.1f} s before")

    def unwatched(self):
        """While all nodes are dead, nobody can be shown."""
        self._is_watched = False

    def watched(self):
        """From now on again, whatever clients could not do before."""
        for each in self.instances:
            each.is_late = False
        self._is_watched = True

    # -- death ----------------------------------------------------------------

    def bury(self, beating=0, clients=0):
        """So many live ones fall silent, or close their connection; those."""
        silent = self._rng.sample([each for each in self._beating if not each.dies], beating)
        left = self._rng.sample([each for each in self._connected
                                 if not each.instances[0].dies], clients)
        dead = silent + [each for client in left for each in client.instances]
        for each in dead:
            each.dies = True
        for each in left:
            each.stop()
        wait_until(lambda: all(each.died_s for each in dead), 10, "clients are silent")
        return dead

    def wait_until_gone(self, dead, bound_s):
        """Until no node shows them; for each node and instance, how many ms after it
        was due."""
        def due(each):
            return each.died_s + (DELETE_S if each.beats else 0)
        def still_shown():
            return [f"{each.service} {each.ip} at {node.name}" for each in dead
                    for node in self._nodes if (each.ip, node) not in self._gone_s]
        try:
            wait_until(lambda: not still_shown(),
                       max(due(each) for each in dead) - time.monotonic() + bound_s, "")
        except AssertionError:
            left = still_shown()
            raise AssertionError(f"{len(left)} dead instances are still shown {bound_s} s "
                                 f"after their time: {left[:5]}") from None
        return [1000 * (self._gone_s[each.ip, node] - due(each)) for each in dead
                for node in self._nodes]
