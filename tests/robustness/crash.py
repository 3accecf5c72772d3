#!/usr/bin/env python3
"""kill -9 under write load: no acknowledged write may be lost, none may be torn.

Writers publish and remove configs and register persistent instances over keep-alive
HTTP, each on keys of its own. The server is killed at a random moment, started
again, and every key must show its last acknowledged write, or the one write that
was on its way when the server died. Sometimes it is killed again while it starts.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.connection import Connection  # noqa: E402
from support.server import Server  # noqa: E402

WRITERS = 8
KEYS_OF_A_WRITER = 40
INSTANCES_OF_A_WRITER = 10
REMOVE_SHARE = 0.1
INSTANCE_SHARE = 0.15
KILL_AFTER_S = (0.05, 0.8)
SECOND_KILL_SHARE = 0.2
SECOND_KILL_AFTER_S = (0.0, 0.3)
LONGEST_CONTENT = 2000


class Cell:
    """What one key may hold: `acked`, or `pending` if that write was not answered."""

    def __init__(self):
        self.acked = None  # None: absent
        self.pending = []  # at most one; a list, for None is a value

    def allowed(self):
        return [self.acked, *self.pending]


class Configs:
    """The configs of one writer."""

    def __init__(self, writer):
        self.cells = {f"crash-{writer}-{n}": Cell() for n in range(KEYS_OF_A_WRITER)}

    def new_value(self, sequence, rng):
        if rng.random() < REMOVE_SHARE:
            return None
        size = rng.randrange(LONGEST_CONTENT)
        return f"{sequence}:" + (f"{sequence:08d}" * (size // 8 + 1))

    def write(self, connection, key, value):
        where = {"dataId": key, "group": "crash"}
        if value is None:
            return connection.call("DELETE", "/nacos/v1/cs/configs", **where) == (200, "true")
        return connection.call("POST", "/nacos/v1/cs/configs", **where,
                               content=value) == (200, "true")

    def read(self, connection):
        found = {}
        for key in self.cells:
            status, body = connection.call("GET", "/nacos/v1/cs/configs", dataId=key,
                                           group="crash")
            if status not in (200, 404):
                raise AssertionError(f"GET of {key} answered {status} {body[:200]}")
            found[key] = body if status == 200 else None
        return found


class Instances:
    """The persistent instances of one writer; the value is the sequence in the metadata."""

    def __init__(self, writer):
        self.service = f"crash-{writer}"
        self.cells = {f"10.0.{writer}.{n}": Cell() for n in range(INSTANCES_OF_A_WRITER)}

    def new_value(self, sequence, rng):
        return None if rng.random() < REMOVE_SHARE else str(sequence)

    def write(self, connection, key, value):
        where = {"serviceName": self.service, "ip": key, "port": "80", "ephemeral": "false"}
        if value is None:
            return connection.call("DELETE", "/nacos/v1/ns/instance", **where) == (200, "ok")
        return connection.call("POST", "/nacos/v1/ns/instance", **where,
                               metadata=json.dumps({"sequence": value})) == (200, "ok")

    def read(self, connection):
        status, body = connection.call("GET", "/nacos/v1/ns/instance/list",
                                       serviceName=self.service)
        if status != 200:
            raise AssertionError(f"list of {self.service} answered {status} {body[:200]}")
        found = dict.fromkeys(self.cells)
        for host in json.loads(body)["hosts"]:
            found[host["ip"]] = host["metadata"].get("sequence")
        return found


class Writer:
    def __init__(self, number, rng):
        self.rng = rng
        self.configs, self.instances = Configs(number), Instances(number)
        self.sequence = self.acked = self.refused = 0

    def run(self, address, stop):
        """Writes until the server is gone or `stop` is set."""
        try:
            connection = Connection(address)
        except OSError:
            return
        try:
            while not stop.is_set():
                self._write_one(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _write_one(self, connection):
        self.sequence += 1
        table = self.instances if self.rng.random() < INSTANCE_SHARE else self.configs
        key = self.rng.choice(list(table.cells))
        cell, value = table.cells[key], table.new_value(self.sequence, self.rng)
        cell.pending.append(value)  # before it is sent: it may happen unanswered
        if table.write(connection, key, value):
            cell.acked, cell.pending = value, []
            self.acked += 1
        else:
            self.refused += 1

    def check(self, connection):
        """The keys that lost or tore a write; what was read is what counts from now."""
        wrong = []
        for table in (self.configs, self.instances):
            for key, found in table.read(connection).items():
                cell = table.cells[key]
                if found not in cell.allowed():
                    wrong.append(f"{key}: found {brief(found)}, allowed "
                                 f"{[brief(each) for each in cell.allowed()]}")
                cell.acked, cell.pending = found, []
        return wrong


def brief(value):
    return "nothing" if value is None else f"{value[:24]!r} ({len(value)})"


def load_and_kill(server, writers, rng):
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(server.address, stop))
               for writer in writers]
    for thread in threads:
        thread.start()
    ended_early = stop.wait(rng.uniform(*KILL_AFTER_S)) or not server.running()
    server.kill9()
    stop.set()
    for thread in threads:
        thread.join()
    if ended_early:
        raise AssertionError(f"the server ended by itself:\n{server.log_tail()}")


def start_again(server, rng):
    """Seconds from the start to readiness."""
    if rng.random() < SECOND_KILL_SHARE:
        server.start(wait=False)
        time.sleep(rng.uniform(*SECOND_KILL_AFTER_S))  # a random moment, not a wait
        server.kill9()
    start = time.monotonic()
    server.start()
    return time.monotonic() - start


def check_all(server, writers):
    connection = Connection(server.address)
    try:
        return [each for writer in writers for each in writer.check(connection)]
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    long = os.environ.get("MUSTER_TEST_LONG") == "1"
    parser.add_argument("--cycles", type=int, default=200 if long else 50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}; again: tests/robustness/crash.py --cycles "
          f"{options.cycles} --seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    writers = [Writer(n, random.Random(rng.random())) for n in range(WRITERS)]
    failed, lost, starts = 0, 0, []
    server = Server(name="crash")
    try:
        server.start()
        for cycle in range(1, options.cycles + 1):
            load_and_kill(server, writers, rng)
            starts.append(start_again(server, rng))
            wrong = check_all(server, writers)
            if wrong:
                failed += 1
                lost += len(wrong)
                print(f"FAIL: cycle {cycle}: {len(wrong)} keys: " + "; ".join(wrong[:5]),
                      flush=True)
    except AssertionError as problem:
        failed += 1
        print(f"FAIL: cycle {len(starts) + 1}: {problem}")
    finally:
        if failed:
            kept = Path(os.environ.get("MUSTER_TEST_LOGS", ROOT / "build/test-logs"),
                        f"crash-data-{options.seed}")
            shutil.copytree(server.data, kept, dirs_exist_ok=True)
            print(f"data kept in {kept}, log in {server.log_path}")
        server.close()
    acked = sum(writer.acked for writer in writers)
    refused = sum(writer.refused for writer in writers)
    if starts:
        print(f"{acked} writes acknowledged, {refused} refused, {len(starts)} kills; start "
              f"median {statistics.median(starts):.2f} s, longest {max(starts):.2f} s")
    print(f"board: suite=crash acked_writes={acked} lost={lost} kills={len(starts)}")
    if acked == 0:
        failed += 1
        print("FAIL: no write was acknowledged: nothing was shown")
    print(f"{len(starts) - min(failed, len(starts))} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
