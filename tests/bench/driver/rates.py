"""Requests per second of Muster beside its peers, round by round in one run."""

import http.client
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field

from . import loadgen
from .clusters import GROUPS, NODES, EtcdCluster, MusterCluster, RnacosCluster
from .peers import Etcd, Muster, Nginx, Rnacos

KEYS = 10_000
GET = ("GET", "/nacos/v1/cs/configs?dataId=key-0&group=bench", None)
PUBLISH = ("POST", "/nacos/v1/cs/configs", "dataId=key-0&group=bench&content=x")
LIST = ("GET", "/nacos/v1/ns/instance/list?serviceName=svc-0", None)
REGISTER = ("POST", "/nacos/v1/ns/instance", "serviceName=svc-0&ip=10.1.0.0&port=8080")
BEAT = ("PUT", "/nacos/v1/ns/instance/beat?serviceName=DEFAULT_GROUP%40%40svc-0&beat="
        "%7B%22ip%22%3A%2210.1.0.0%22%2C%22port%22%3A8080%2C%22serviceName%22%3A%22svc-0%22%7D", None)


@dataclass
class Rate:
    """One line of the table of figures; `targets`: peer -> smallest ratio."""

    name: str
    work: str
    targets: dict
    answer_of: tuple = None  # the request whose answer nginx gives
    fill: str = None         # what is written before
    hold: bool = False       # instances of gRPC clients stay registered meanwhile
    conns: int = 64
    nodes: int = 1
    groups: int = 1
    figures: dict = field(default_factory=dict)


RATES = [
    Rate("http-get", "http-get", {"nginx": 0.6, "r-nacos": 1.5}, GET, "fill-configs"),
    Rate("http-list", "http-list", {"nginx": 0.5}, LIST, hold=True),
    Rate("http-register", "http-register", {"nginx": 0.4}, REGISTER),
    Rate("http-beat", "http-beat", {"nginx": 0.4}, BEAT, "fill-instances"),
    Rate("http-publish", "http-publish", {"nginx": 0.2, "r-nacos": 1.5, "etcd": 3.0}, PUBLISH),
    Rate("http-publish-256", "http-publish", {"nginx": 0.25}, PUBLISH, conns=256),
    Rate("grpc-query", "grpc-query", {"r-nacos": 1.3}, fill="fill-configs"),
    Rate("grpc-publish", "grpc-publish", {"r-nacos": 1.3}),
    Rate("grpc-register", "grpc-register", {"r-nacos": 1.3}),
    Rate("cluster-publish", "http-publish", {"etcd": 1.5, "r-nacos": 1.5}, nodes=NODES,
         groups=GROUPS),
    Rate("cluster-publish-256", "http-publish", {"etcd": 1.5, "r-nacos": 1.5}, conns=256,
         nodes=NODES, groups=GROUPS),
    Rate("cluster-get", "http-get", {"r-nacos": 1.5}, fill="fill-configs", nodes=NODES,
         groups=GROUPS),
]


def ask(address, method, path, body):
    """One answer as nginx needs it."""
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path} answered {answer.status} {text[:200]}")
    return {"body": text, "headers": answer.getheaders()}


def _start(stack, rate):
    """Muster and the peers that this work is compared with, as far as they are there."""
    kinds = ((Muster, "muster"), (Rnacos, "r-nacos"), (Etcd, "etcd"))
    if rate.nodes > 1:
        kinds = ((MusterCluster, "muster"), (RnacosCluster, "r-nacos"), (EtcdCluster, "etcd"))
    peers = []
    for kind, name in kinds:
        if name == "muster" or (name in rate.targets and kind.available()):
            peer = kind()
            stack.callback(peer.close)
            peers.append(peer.start())
    for peer in peers:
        if peer.name != "etcd":
            _fill(stack, rate, peer)
    if "nginx" in rate.targets:
        nginx = Nginx(ask(peers[0].address, *rate.answer_of))
        stack.callback(nginx.close)
        peers.append(nginx.start())
    return peers


def _fill(stack, rate, peer):
    if rate.fill:
        filled = loadgen.run(peer, rate.fill, keys=KEYS, groups=rate.groups)
        if filled["errors"]:
            raise RuntimeError(f"{rate.fill} of {peer.name}: {filled['last_error']}")
    if rate.hold:
        stack.enter_context(loadgen.held(peer, "hold-instances"))


def measure(rate, rounds, seconds):
    """Fills `rate.figures`: peer -> the median round, as the generator reports it."""
    with ExitStack() as stack:
        peers = _start(stack, rate)
        results = {peer.name: [] for peer in peers}
        for _ in range(rounds):
            for peer in peers:
                work = "etcd-put" if peer.name == "etcd" else rate.work
                results[peer.name].append(loadgen.run(
                    peer, work, conns=rate.conns, keys=KEYS, groups=rate.groups,
                    seconds=seconds))
    for name, runs in results.items():
        middle = statistics.median_low([run["rps"] for run in runs])
        rate.figures[name] = dict(next(run for run in runs if run["rps"] == middle),
                                  errors=sum(run["errors"] for run in runs),
                                  rounds=[round(run["rps"]) for run in runs])
    return rate.figures
