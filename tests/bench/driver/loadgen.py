"""Builds and runs the load generator; reads what /proc says of a server."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from support.server import ROOT

SOURCES = ROOT / "tests/bench/loadgen"
PROGRAM = ROOT / "build/bench/loadgen"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


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
