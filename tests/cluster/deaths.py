"""D4: the power of a node fails just before some call of its disk, while something
else is going on. Between two calls a disk does not change: so these are all the
places at which a death can matter to what is stored."""

import time

from cluster.members import GROUPS
from support.server import wait_until

# The Nth of each, at most; about as many as come within DIES_S.
CALLS = {"open": 30, "append": 900, "sync": 400, "sync_directory": 8, "rename": 6,
         "remove": 6, "list": 8, "read": 200}
DIES_S = 12


def deaths(stage):
    died = []
    for number in stage.rounds(6):
        going_on = (writing, joining, draining)[number % 3]
        call = stage.rng.choice(list(CALLS))
        nth = stage.rng.randint(1, CALLS[call])
        since = time.monotonic_ns()
        if going_on(stage, f"{call}:{nth}"):
            died.append(call)
        stage.wait_for_progress(since, f"a death at {call}:{nth}")
    stage.figures |= {"deaths": len(died), "calls_died_in": len(set(died))}
    assert died, "nobody died"


def restart_doomed(stage, node, order):
    """With the power to fail there; true if it did. Serves again at the end."""
    stage.cluster.kill9([node])
    node.env["FAULT_DIE_AT"] = order
    node.start(wait=False)
    return node


def has_died(node):
    """Waits for it; starts it on what its disk has then. One that was spared is started
    anew too: it would die of a later call, when nobody expects it."""
    del node.env["FAULT_DIE_AT"]
    try:
        wait_until(lambda: not node.running(), DIES_S, "it dies")
        died = True
    except AssertionError:
        node.wait_ready()
        node.kill9()
        died = False
    node.start()
    return died


def writing(stage, order):
    return has_died(restart_doomed(stage, stage.rng.choice(stage.nodes), order))


def draining(stage, order):
    """One gives its votes away and gets them back; that one or another dies."""
    node, asked = stage.rng.sample(stage.nodes, 2)
    # Else there would be no majority without that one, and no is the answer.
    stage.cluster.wait_for_members(
        asked, "all are up",
        lambda all: all and {each["state"] for each in all.values()} == {"UP"})
    stage.cluster.musterctl(asked, "drain", node.address)
    died = has_died(restart_doomed(stage, stage.rng.choice(stage.others(asked)), order))
    stage.cluster.musterctl(asked, "add", node.address)
    # Until then the next death could be of one of two.
    stage.cluster.wait_for_members(
        asked, f"{node.name} votes in all groups",
        lambda all: all.get(node.address, {}).get("votes") == GROUPS)
    return died


def joining(stage, order):
    """A fourth gets copies of everything; it dies meanwhile, or one that has them."""
    fourth, first = stage.cluster.spares[0], stage.nodes[0]
    if stage.rng.random() < 0.5:
        doomed = restart_doomed(stage, stage.rng.choice(stage.others(first)), order)
        fourth.start(wait=False)
    else:
        doomed = fourth
        fourth.env["FAULT_DIE_AT"] = order
        fourth.start(wait=False)
    stage.cluster.musterctl(first, "add", fourth.address)
    died = has_died(doomed)
    stage.cluster.join(fourth, first)
    stage.cluster.remove(fourth, first)
    stage.cluster.wipe(fourth)
    return died
