"""Builds and runs the load generator; reads what /proc says of a server."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from support.server import ROOT, wait_until

SOURCES = ROOT / "tests/bench/loadgen"
PROGRAM = ROOT / "build/bench/loadgen"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Of a core, over so long: more is work left over from a start or a load.
CALM_SHARE = 0.05
CALM_S = 2
CALM_WITHIN_S = 60


def build():
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", PROGRAM, "."], cwd=SOURCES, check=True)


def _command(peer, work, members):
    command = [str(PROGRAM), "-work", work, *peer.loadgen_addresses()]
    for name, value in members.items():
        command.append(f"-{name}={value}")
    return command


def _result(peer, work, output, status):
    if status:
        raise RuntimeError(f"loadgen {work} against {peer.name} ended with {status}")
    return json.loads(output)


def run(peer, work, **members):
    """The generator's JSON as a dictionary; RuntimeError if it could not work."""
    done = subprocess.run(_command(peer, work, members), stdout=subprocess.PIPE)
    return _result(peer, work, done.stdout, done.returncode)


@contextmanager
def held(peer, work, **members):
    """The load stands while the block runs; yields a list that then gets the result."""
    process = subprocess.Popen(_command(peer, work, members), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    results = []
    try:
        line = process.stdout.readline()
        if not line.startswith(b"READY"):
            raise RuntimeError(f"loadgen {work} against {peer.name} did not get ready")
        yield results
        process.stdin.close()
        results.append(_result(peer, work, process.stdout.read(), process.wait(60)))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def wait_until_calm(*pids):
    """Until none of them has work left; AssertionError if that takes too long."""
    used = [float("-inf")] * len(pids)

    def is_calm():
        nonlocal used
        before, used = used, [cpu_seconds(pid) for pid in pids]
        return all(now - then < CALM_SHARE * CALM_S for now, then in zip(used, before))
    wait_until(is_calm, CALM_WITHIN_S, "the servers are idle", pause_s=CALM_S)
