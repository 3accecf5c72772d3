"""Finds a Go that is new enough for the Go programs of the tests.

Debian 12 has Go 1.19; the Nacos SDK and grpc-go want 1.21. An older Go can fetch a
newer one as a module, with the checks of the module's sum, from where it gets
everything else.
"""

import json
import os
import re
import subprocess
from pathlib import Path

NEEDED = (1, 21)
TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.24.4.linux-amd64"


def _fetch():
    answer = subprocess.run(["go", "mod", "download", "-json", TOOLCHAIN], cwd="/",
                            check=True, stdout=subprocess.PIPE).stdout
    root = Path(json.loads(answer)["Dir"])
    for folder in ("bin", "pkg/tool"):  # files of a module are not executable
        for program in (root / folder).rglob("*"):
            if program.is_file() and not os.access(program, os.X_OK):
                program.chmod(0o555)
    return str(root / "bin/go")


def program():
    """The path of a `go` of at least NEEDED; RuntimeError without any Go."""
    try:
        version = subprocess.run(["go", "env", "GOVERSION"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout
    except OSError as problem:
        raise RuntimeError(f"Go is not installed: {problem}") from None
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found and tuple(map(int, found.groups())) >= NEEDED:
        return "go"
    return _fetch()
