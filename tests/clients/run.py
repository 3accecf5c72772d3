#!/usr/bin/env python3
"""Drives the real SDKs against one server; see README.md in this folder."""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from clients.harness.adapter import Adapter, SdkError  # noqa: E402
from clients.harness.context import Context  # noqa: E402
from clients.harness.install import BUILD, INSTALLERS  # noqa: E402
from clients.harness.restart import AFTER_RESTART, NOT_FOR, Restart  # noqa: E402
from clients.harness.scenarios import ALONE, CROSS, ONLY_FOR, cross_language  # noqa: E402
from support.server import Server  # noqa: E402

ALL_SCENARIOS = [*ALONE, *AFTER_RESTART, CROSS]


class Results:
    def __init__(self):
        self._lock = threading.Lock()
        self.passed = self.failed = 0

    def run(self, sdk, name, scenario, *arguments):
        start = time.monotonic()
        try:
            note, failed = scenario(*arguments), False
        except (AssertionError, SdkError, OSError) as problem:
            note, failed = f"{problem}", True
        verdict = "FAIL:" if failed else "ok:"
        took = time.monotonic() - start
        with self._lock:
            self.failed += failed
            self.passed += not failed
            print(f"{verdict} {sdk} {name} ({took:.1f} s)" + (f" {note}" if note else ""),
                  flush=True)


class Suite:
    def __init__(self, sdks, scenarios, server, workdir):
        self.sdks, self.scenarios, self.server = sdks, scenarios, server
        self.results = Results()
        self.workdir, self.adapters = workdir, {}
        self.pool = ThreadPoolExecutor(len(sdks))

    def each_sdk(self, work):
        list(self.pool.map(work, self.sdks))

    def wanted(self, name, sdk):
        return (name in self.scenarios and sdk in ONLY_FOR.get(name, self.sdks)
                and sdk not in NOT_FOR.get(name, ()))

    def alone(self, sdk):
        for name, scenario in ALONE.items():
            if self.wanted(name, sdk):
                self.results.run(sdk, name, scenario,
                                 Context(sdk, self.adapters[sdk], self.server, name))

    def after_restart(self):
        """One kill for all: every SDK is ready, and every SDK has to recover."""
        if not any(name in self.scenarios for name in AFTER_RESTART):
            return
        prepared = {}

        def prepare(sdk):
            restart = Restart(sdk, self.adapters[sdk], self.server)
            try:
                restart.prepare()
                prepared[sdk] = restart
            except (AssertionError, SdkError, OSError) as problem:
                prepared[sdk] = problem

        def check(sdk):
            for name, one in AFTER_RESTART.items():
                if self.wanted(name, sdk):
                    self.results.run(sdk, name, verify, prepared[sdk], one)

        def verify(restart, one):
            if isinstance(restart, Exception):
                raise AssertionError(f"before the kill: {restart}")
            one(restart)

        self.each_sdk(prepare)
        self.server.kill9()
        self.server.start()
        self.each_sdk(check)

    def cross(self):
        """Each SDK writes and the next one in the ring reads."""
        if CROSS not in self.scenarios or len(self.sdks) < 2:
            return

        def pair(sdk):
            reader = self.sdks[(self.sdks.index(sdk) + 1) % len(self.sdks)]
            self.results.run(f"{sdk}->{reader}", CROSS, cross_language,
                             *(Context(each, self.adapters[each], self.server, CROSS)
                               for each in (sdk, reader)))

        self.each_sdk(pair)

    def run(self):
        commands = {sdk: INSTALLERS[sdk]() for sdk in self.sdks}
        self.server.start()
        for sdk, command in commands.items():
            self.adapters[sdk] = Adapter(sdk, command, self.server.address,
                                         self.workdir / sdk)
        for part in (lambda: self.each_sdk(self.alone), self.cross, self.after_restart):
            part()
            if not self.server.running():
                self.results.run("all", "server-stays-up", self.server_has_ended)
                return

    def server_has_ended(self):
        raise AssertionError(f"the server ended by itself:\n{self.server.log_tail()}")

    def close(self):
        for adapter in self.adapters.values():
            adapter.close()
        self.pool.shutdown()


def chosen(text, known, what):
    names = text.split(",") if text else list(known)
    for name in names:
        if name not in known:
            sys.exit(f"unknown {what} {name!r}; there are: {', '.join(known)}")
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", help=f"comma list of {', '.join(INSTALLERS)}")
    parser.add_argument("--scenario", help=f"comma list of {', '.join(ALL_SCENARIOS)}")
    parser.add_argument("--server-cmd", metavar="PROGRAM",
                        type=lambda path: Path(path).resolve(),
                        help="a program that takes musterd's arguments")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep logs and data")
    options = parser.parse_args()
    sdks = chosen(options.sdk, INSTALLERS, "SDK")
    scenarios = chosen(options.scenario, ALL_SCENARIOS, "scenario")
    if options.install_only:
        for sdk in sdks:
            INSTALLERS[sdk]()
        return 0
    BUILD.mkdir(parents=True, exist_ok=True)
    workdir = Path(tempfile.mkdtemp(prefix="run-", dir=BUILD))
    server = Server(binary=options.server_cmd, name="clients")
    suite = Suite(sdks, scenarios, server, workdir)
    try:
        suite.run()
    finally:
        suite.close()
        server.close()
    results = suite.results
    if results.failed or options.keep:
        print(f"logs of the SDKs: {workdir}; of the server: {server.log_path}")
    else:
        shutil.rmtree(workdir)
    print(f"{results.passed} passed, {results.failed} failed, 0 skipped")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
