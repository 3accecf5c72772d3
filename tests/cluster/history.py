"""Records what clients did and saw, and has the checker judge it.

The form of a line, and what the outcomes mean, is in tools/history/README.md.
"""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Never a sanitized build: it has no server in it and is to be quick.
CHECKER = ROOT / "build/release/tools/history/history_check"
CHECK_S_MAX = 300

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
WRITES = ("publish", "cas", "delete")


class Recorder:
    """The operations of one client; used by one thread."""

    def __init__(self, client):
        self.client = client
        self.operations = []

    def add(self, node, key, operation, given, output, invoked, returned, outcome):
        self.operations.append(
            (node, key, operation, given, output, invoked, returned, outcome))


class History:
    """All recorders of one cluster."""

    def __init__(self):
        self._recorders = []

    def recorder(self, client):
        self._recorders.append(Recorder(client))
        return self._recorders[-1]

    def count(self, outcome, operations=WRITES):
        return sum(1 for each in self._recorders for op in each.operations
                   if op[7] == outcome and op[2] in operations)

    def write(self, path):
        names = ("node", "key", "operation", "input", "output", "invoke", "return",
                 "outcome")
        with open(path, "w", encoding="utf-8") as file:
            for each in self._recorders:
                for op in each.operations:
                    line = {"client": each.client, **dict(zip(names, op))}
                    file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def check(self, path):
        """Sums of the checker as a dictionary; its findings under `findings`."""
        self.write(path)
        done = subprocess.run([str(CHECKER), str(path)], capture_output=True, text=True,
                              timeout=CHECK_S_MAX, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f"{CHECKER.name}: {done.stderr.strip()}")
        *findings, last = done.stdout.splitlines()
        sums = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", last)}
        return {**sums, "findings": findings}
