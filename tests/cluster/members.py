"""Members that come, go and give their leaderships away, while clients write."""

import time

from cluster.history import OK
from support.server import wait_until

# Hand-overs are planned: nobody waits for an election.
STALL_MS_MAX = 3000
# What a joining node has to fetch: more than a snapshot's part and its window.
FILL_KEYS = 300
FILL_BYTES = 100_000
CUT_S = 2
# With partition 0.
GROUPS = 17


def are_even(members):
    leads = [m["leads"] for m in members.values()]
    return bool(leads) and max(leads) - min(leads) <= 1


def leaders_move(stage):
    stalls = []
    for number in stage.rounds(3):
        node, asked = (stage.nodes[(number + n) % len(stage.nodes)] for n in (0, 1))
        since = time.monotonic_ns()
        stage.cluster.musterctl(asked, "drain", node.address)
        stage.cluster.wait_for_members(
            asked, f"{node.name} has drained",
            lambda all, node=node: all.get(node.address, {}).get("drained"))
        stage.cluster.musterctl(asked, "add", node.address)
        stage.cluster.wait_for_members(
            asked, f"{node.name} leads again",
            lambda all, node=node: all.get(node.address, {}).get("leads") and are_even(all))
        stage.wait_for_progress(since, f"{node.name} drained")
        stalls += stage.load.stalls(since)
    stage.figures["stall_ms_max"] = round(max(stalls))
    assert max(stalls) < STALL_MS_MAX, f"a group took no write for {max(stalls):.0f} ms"


def members_change(stage):
    """Three become four, one loses its disk and comes back under its name, and the
    fourth drains and goes."""
    for _ in stage.rounds(1):
        fourth = stage.cluster.spares[0]
        first, second, _third = stage.nodes
        since = time.monotonic_ns()
        stage.cluster.join(fourth, first)
        stage.wait_for_progress(since, "a fourth member")

        stage.cluster.wipe(second)
        second.start(wait=False)
        stage.play(3)
        assert not second.ready(), "a node that forgot its votes serves"
        stage.cluster.remove(second, first)
        stage.cluster.join(second, fourth)
        stage.wait_for_writes_at(second)

        stage.cluster.musterctl(second, "drain", fourth.address)
        stage.cluster.wait_for_members(
            first, "the fourth has drained",
            lambda all: all.get(fourth.address, {}).get("drained"))
        since = time.monotonic_ns()
        stage.cluster.remove(fourth, second)
        stage.wait_for_progress(since, "the fourth member's removal")
        stage.cluster.wipe(fourth)
        stage.cluster.wait_for_members(
            first, "leaders are spread",
            are_even)


def are_spread(members, count):
    """Partition 0 is on all nodes, each other group on three and nowhere else."""
    held = sum(m["held"] for m in members.values())
    return (len(members) == count and are_even(members)
            and held == count + 3 * (GROUPS - 1))


def grows_and_shrinks(stage):
    first = stage.nodes[0]
    for _ in stage.rounds(1):
        for spare in stage.cluster.spares:
            since = time.monotonic_ns()
            stage.cluster.join(spare, first)
            stage.wait_for_progress(since, f"{spare.name} came")
        stage.cluster.wait_for_members(first, "five nodes share the groups",
                                       lambda all: are_spread(all, 5))
        since = time.monotonic_ns()
        victim = stage.rng.choice(stage.nodes)
        stage.cluster.kill9([victim])
        stage.wait_for_progress(since, f"kill -9 of {victim.name}")
        stage.cluster.start([victim])
        for spare in stage.cluster.spares:
            since = time.monotonic_ns()
            stage.cluster.remove(spare, first)
            stage.wait_for_progress(since, f"{spare.name} went")
            stage.cluster.wipe(spare)
        stage.cluster.wait_for_members(first, "three nodes have all groups",
                                       lambda all: are_spread(all, 3))


def fill(stage):
    client = stage.client(stage.nodes[0], "fill")
    for number in range(FILL_KEYS):
        done = client.publish(f"fill-{number % 30}/d{number}", f"{number}-" + "x" * FILL_BYTES)
        assert done and done[0] == OK, f"filling: {done}"
    client.close()


def check_filled(stage, node):
    reader = stage.client(node, "filled")
    for number in range(FILL_KEYS):
        done = reader.get(f"fill-{number % 30}/d{number}")
        assert done and done[0] == OK and done[1].startswith(f"{number}-"), (
            f"{node.name} shows {str(done)[:60]} of what was there before it came")
    reader.close()


def cut_while_it_fetches(stage, node):
    """Cut off at a tenth, at half and at nine tenths of what it has to fetch; returns how
    often that was before it had everything."""
    first = stage.nodes[0]
    place = len(stage.nodes)
    # Three of four nodes have each group.
    wanted = FILL_KEYS * FILL_BYTES * 3 // 4

    def has_its_share():
        return are_spread(stage.cluster.members(first), 4)

    cuts = 0
    for share in (0.1, 0.5, 0.9):
        wait_until(lambda share=share: disk_bytes(node) > share * wanted or has_its_share(),
                   60, f"{share:.0%} have come", pause_s=0.05)
        if has_its_share():
            break
        for other in range(place):
            stage.network.cut_both(place, other)
        cuts += 1
        stage.play(CUT_S)
        stage.network.heal()
    return cuts


def joins_with_cuts(stage):
    first = stage.nodes[0]
    fourth = stage.cluster.spares[0]
    fill(stage)
    joins, cuts, rss_mib = 0, 0, 0
    for _ in stage.rounds(1):
        fourth.start(wait=False)
        since = time.monotonic_ns()
        stage.cluster.musterctl(first, "add", fourth.address)
        fourth.wait_ready()
        cut = cut_while_it_fetches(stage, fourth)
        stage.cluster.wait_for_members(first, "the fourth has its share",
                                       lambda all: are_spread(all, 4))
        stage.wait_for_progress(since, "a fourth member")
        assert cut, "all had come before anything was cut"
        check_filled(stage, fourth)
        joins += 1
        cuts += cut
        rss_mib = max(rss_mib, *(node.rss_bytes() / 2**20 for node in (*stage.nodes, fourth)))
        stage.cluster.remove(fourth, first)
        stage.cluster.wipe(fourth)
        stage.cluster.wait_for_members(first, "three nodes have all groups",
                                       lambda all: are_spread(all, 3))
    stage.figures |= {"joins": joins, "cuts": cuts, "rss_mib_max": round(rss_mib)}


def disk_bytes(node):
    total = 0
    for file in node.data.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # compacted away meanwhile
            pass
    return total
