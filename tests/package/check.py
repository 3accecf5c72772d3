#!/usr/bin/env python3
"""Makes the Debian package, unpacks it, and starts what its unit starts.

Environment: MUSTER_TEST_LOGS = where the log goes (default build/test-logs).
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.support.server import Server  # noqa: E402  (needs the path)

UNIT = "usr/lib/systemd/system/muster.service"


def run(*command):
    """What it prints to standard output; AssertionError if it complains."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def exec_start(unpacked):
    """The unit's command, with what the package has taken from where it is unpacked."""
    [line] = [line for line in (unpacked / UNIT).read_text().splitlines()
              if line.startswith("ExecStart=")]
    words = shlex.split(line.partition("=")[2])
    return [str(unpacked / word[1:]) if (unpacked / word[1:]).is_file() else word
            for word in words]


def contents(package, unpacked):
    """Files, rights and dependencies are those of the documentation."""
    for name, mode in (("usr/bin/musterd", 0o755), ("usr/bin/musterctl", 0o755),
                       ("etc/muster/application.yml", 0o644), (UNIT, 0o644),
                       ("usr/share/doc/muster/three-machines.md", 0o644)):
        found = (unpacked / name).stat().st_mode & 0o777
        assert found == mode, f"{name} has mode {found:o}"
    depends = run("dpkg-deb", "-f", package, "Depends")
    for library in ("libcaf-io0.17", "libssl3", "systemd"):
        assert library in depends, f"{library} is not in: {depends}"
    assert "/etc/muster/application.yml" in run("dpkg-deb", "-I", package, "conffiles")


def unit_is_valid(_, unpacked):
    """systemd finds nothing to say about the unit, and makes its user."""
    text = (unpacked / UNIT).read_text()
    copy = unpacked / "muster.service"
    copy.write_text(text.replace("ExecStart=/usr/bin", f"ExecStart={unpacked}/usr/bin"))
    said = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True,
                          text=True, check=False)
    assert not said.stderr and said.returncode == 0, said.stderr
    run("systemd-sysusers", f"--root={unpacked}", "muster.conf")
    assert "muster:" in (unpacked / "etc/passwd").read_text()


def unit_starts(_, unpacked):
    """The unit's command serves, with another data directory and port, and ends at SIGTERM."""
    program, *words = exec_start(unpacked)
    at = words.index("--data")
    del words[at:at + 2]
    with Server(binary=program, args=words, name="package") as node:
        assert node.stop() == 0


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="muster-package-") as folder:
        unpacked = Path(folder) / "root"
        package = run(ROOT / "deploy/package", folder).splitlines()[-1]
        run("dpkg-deb", "-x", package, unpacked)
        for check in (contents, unit_is_valid, unit_starts):
            try:
                check(package, unpacked)
                passed += 1
            except (AssertionError, OSError) as problem:
                failed += 1
                print(f"FAIL: {check.__name__}: {problem}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
