"""Starts, kills and restarts a real musterd for tests.

    with Server() as node:                  # free ports, a data directory of its own
        requests.get(node.url("/v1/cs/configs?dataId=a&group=b"))
        node.kill9()
        node.start()                        # same ports, same data

Environment: MUSTERD = the program (default build/release/musterd),
MUSTER_TEST_LOGS = where logs of nodes go (default build/test-logs).
As a program: `server.py ports` prints a free port; see `server.py --help`.
"""

import argparse
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Below Linux' range of ports for outgoing connections, so that no client of
# another test takes one of ours between the check and the bind.
PORTS = range(20000, 31000)
SDK_OFFSET = 1000
CLUSTER_OFFSET = 1001


def wait_until(condition, deadline_s, what, pause_s=0.02):
    """Polls until `condition()` is true; AssertionError with `what` otherwise: a text, or
    what tells it then."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            awaited = what() if callable(what) else what
            raise AssertionError(f"not within {deadline_s} s: {awaited}")
        time.sleep(pause_s)


def _bindable(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


class PortFamily:
    """HTTP port N with N+1000 and N+1001 free; held against other test
    processes by a lock file until `release()` or the end of this process."""

    def __init__(self):
        folder = Path(tempfile.gettempdir()) / "muster-test-ports"
        folder.mkdir(exist_ok=True)
        for port in random.sample(PORTS, 500):
            family = (port, port + SDK_OFFSET, port + CLUSTER_OFFSET)
            locks = []
            try:
                for each in family:
                    locks.append(open(folder / str(each), "w"))
                    fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pass
            else:
                if all(map(_bindable, family)):
                    self.port, self._locks = port, locks
                    return
            for lock in locks:
                lock.close()
        raise RuntimeError("no free family of ports")

    def release(self):
        for lock in self._locks:
            lock.close()
        self._locks = []


class Server:
    """One musterd. `start` returns once it is ready; every wait has a deadline.

    port      HTTP port; default: a free family
    host      address to listen on
    wrap      command that musterd is started by, such as `nsenter …`
    data      data directory; default: a temporary one, removed by `close`
    args      more arguments of musterd
    env       more environment variables
    settings  `--key=value` arguments as a dictionary
    """

    def __init__(self, *, port=None, data=None, args=(), env=None, settings=None,
                 binary=None, name="node", ready_s=20.0, host="127.0.0.1", wrap=()):
        self.binary = str(binary or os.environ.get("MUSTERD")
                          or ROOT / "build/release/musterd")
        self._family = None if port else PortFamily()
        self.port = port or self._family.port
        self.host = host
        self.wrap = list(wrap)
        self._own_data = data is None
        self.data = Path(data or tempfile.mkdtemp(prefix="muster-test-"))
        self.args = list(args)
        self.args += [f"--{key}={value}" for key, value in (settings or {}).items()]
        self.env = dict(env or {})
        self.ready_s = ready_s
        self.process = None
        logs = Path(os.environ.get("MUSTER_TEST_LOGS", ROOT / "build/test-logs"))
        logs.mkdir(parents=True, exist_ok=True)
        self.log_path = logs / f"{name}-{self.port}.log"

    # -- addresses ------------------------------------------------------------

    @property
    def sdk_port(self):
        return self.port + SDK_OFFSET

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def url(self, path="", context="/nacos"):
        return f"http://{self.address}{context}{path}"

    # -- life -----------------------------------------------------------------

    def start(self, wait=True):
        """Starts the node (again); the log file is continued."""
        assert not self.running(), "is running already"
        command = [*self.wrap, self.binary, "--bind", self.host, "--port",
                   str(self.port), "--data", str(self.data), *self.args]
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("MUSTER_", "BATATA_", "NACOS_"))}
        environment.update(self.env)
        with open(self.log_path, "ab") as log:
            # In the data directory there is no conf/ that could be picked up.
            self.process = subprocess.Popen(
                command, cwd=self.data, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, deadline_s=None):
        """Until readiness says yes and the SDK port takes connections."""
        def ready():
            if not self.running():
                raise AssertionError(
                    f"musterd ended with {self.process.returncode}:\n{self.log_tail()}")
            return self.ready()
        try:
            wait_until(ready, deadline_s or self.ready_s, "musterd is ready")
        except AssertionError as problem:
            self.kill9()
            raise AssertionError(f"{problem}\n{self.log_tail()}") from None

    def ready(self):
        return self._answers() and self._sdk_open()

    def _answers(self):
        try:
            with urllib.request.urlopen(
                    self.url("/v1/console/health/readiness"), timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _sdk_open(self):
        try:
            socket.create_connection((self.host, self.sdk_port), 1).close()
            return True
        except OSError:
            return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill9(self):
        """kill -9; returns once the process is gone."""
        if self.running():
            self.process.kill()
        if self.process:
            self.process.wait(10)

    def stop(self, deadline_s=10):
        """SIGTERM; returns the exit code. AssertionError if it takes longer."""
        if self.process is None:
            return None
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(
                f"musterd still ran {deadline_s} s after SIGTERM:\n{self.log_tail()}"
            ) from None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Ends the node hard and removes what this object made, but not the log."""
        self.kill9()
        if self._family:
            self._family.release()
        if self._own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self):
        try:
            return self if self.running() else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # -- looking at it --------------------------------------------------------

    @property
    def pid(self):
        return self.process.pid

    def rss_bytes(self):
        """Resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS: the process has ended")

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log_text().splitlines()[-lines:])


def main():
    parser = argparse.ArgumentParser(description="Helpers for shell tests.")
    parser.add_argument("what", choices=["ports"], help="ports: print a free HTTP port")
    parser.parse_args()
    print(PortFamily().port)


if __name__ == "__main__":
    sys.exit(main())
