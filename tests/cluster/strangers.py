"""N4: a member's address is taken by a node of another cluster, which knows the same
addresses as its own members."""

import json
import time
import urllib.request

from cluster.client import HttpClient
from cluster.cluster import READY_S
from cluster.history import OK, History
from support.server import Server, wait_until

WAIT_S = 20
KEY_OURS, KEY_THEIRS = "strangers/ours", "strangers/theirs"


def other_cluster(stage):
    """Nodes of another cluster at the same addresses, with data of their own."""
    members = ",".join(node.address for node in stage.nodes)
    strangers = [Server(host=node.host, port=node.port, binary=node.binary, ready_s=READY_S,
                        name=f"cluster-{stage.name}-stranger-{node.name}",
                        args=["--members", members]) for node in stage.nodes]
    for each, node in zip(strangers, stage.nodes):
        each.name = f"stranger-{node.name}"
    return strangers


def written(node, key):
    """Not in the history: it is another store."""
    client = HttpClient(node, History().recorder("stranger"))
    try:
        done = client.publish(key, "theirs")
        assert done and done[0] == OK, f"the other cluster answers {done} to a write"
    finally:
        client.close()


def shown(stage, node, key):
    client = stage.client(node, "strangers")
    try:
        return client.get(key)
    finally:
        client.close()


def state_of(stage, asked, member):
    """As a node shows it, which shows nobody who is not a member."""
    with urllib.request.urlopen(asked.url("/v1/core/cluster/nodes"), timeout=10) as answer:
        told = json.load(answer)["data"]
    addresses = {each["address"]: each["state"] for each in told}
    assert set(addresses) == {node.address for node in stage.nodes}, (
        f"{asked.name} shows {sorted(addresses)}")
    return addresses[member.address]


def wait_for_memory(nodes):
    """Until each remembers on disk what its cluster is: before, it refuses nobody."""
    wait_until(lambda: all((node.data / "CLUSTER").exists() for node in nodes), WAIT_S,
               "nodes remember their cluster")


def found_another_cluster(node, since):
    return "this is cluster" in node.log_text()[since:]


def take_address(stage):
    """The stranger comes while the member whose address it has is away."""
    *members, absent = stage.nodes
    stage.load.hold()
    stage.wait_for_writes_at(members[0])
    client = stage.client(members[0], "strangers")
    assert client.publish(KEY_OURS, "ours")[0] == OK
    client.close()
    wait_for_memory(stage.nodes)
    stage.cluster.kill9(stage.nodes)
    strangers = other_cluster(stage)
    try:
        for each in strangers:
            each.start(wait=False)
        for each in strangers:
            each.wait_ready()
        written(strangers[-1], KEY_THEIRS)
        wait_for_memory(strangers)
        for each in strangers:
            each.kill9()
        intruder = strangers[-1]
        for number in stage.rounds(1):
            play_beside(stage, members, absent, intruder, is_first=number == 0)
    finally:
        for each in strangers:
            each.close()


def play_beside(stage, members, absent, intruder, is_first):
    if not is_first:
        stage.cluster.kill9(stage.nodes)
    seen = {node: len(node.log_text()) for node in [*members, intruder]}
    since = time.monotonic_ns()
    intruder.start(wait=False)
    stage.cluster.start(members)
    stage.load.go_on()
    stage.wait_for_progress(since, "a stranger took a member's address")
    wait_until(lambda: all(found_another_cluster(each, seen[each]) for each in seen), WAIT_S,
               "members and stranger find that they are of different clusters")
    stage.play_until(since, 8)
    for node in members:
        assert state_of(stage, node, absent) != "UP", f"{node.name} takes the stranger for a member"
        assert shown(stage, node, KEY_OURS) == (OK, "ours"), f"{node.name} lost its own"
        assert shown(stage, node, KEY_THEIRS) == (OK, None), f"{node.name} has foreign data"
        log = node.log_text()[seen[node]:]
        assert f"member {absent.address} is connected" not in log, (
            f"{node.name} connected with the stranger")
    assert intruder.running(), "the stranger ended"
    assert not intruder.ready(), "the stranger serves with members of another cluster"
    refusals = sum(each.log_text()[seen[each]:].count("this is cluster") for each in seen)
    stage.figures["refusals"] = stage.figures.get("refusals", 0) + refusals
    intruder.kill9()
    stage.cluster.start([absent])
    stage.wait_for_writes_at(absent)
    assert shown(stage, absent, KEY_OURS) == (OK, "ours"), f"{absent.name} lost its own"
    assert shown(stage, absent, KEY_THEIRS) == (OK, None), f"{absent.name} has foreign data"
