"""The servers that are measured, each on free loopback ports, each stopped by its pid."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from support.server import ROOT, PortFamily, Server, wait_until

HERE = ROOT / "tests/bench"
LOGS = ROOT / "build/bench/logs"
READY_S = 20
RNACOS_TRIES = 20


class NacosPeer(Server):
    """Muster, or another server that takes its arguments."""

    binary_path = None

    def __init__(self, name):
        super().__init__(binary=self.binary_path, name=name)
        self.name = name

    def loadgen_addresses(self):
        return ["-http", self.address, "-grpc", f"127.0.0.1:{self.sdk_port}"]


class Muster(NacosPeer):
    def __init__(self):
        super().__init__("muster")


class Rnacos(NacosPeer):
    binary_path = HERE / "peers/rnacos-node"

    def __init__(self, name="r-nacos"):
        super().__init__(name)

    def start(self, wait=True):
        """On a busy machine its apply actor often panics at the start; from then on
        it answers `true` to publishes and 404 to reads. Such a start does not count."""
        for _ in range(RNACOS_TRIES):
            self.start_once(wait)
            if self._keeps_what_it_takes():
                return self
            self.kill9()
            shutil.rmtree(self.data)
            self.data.mkdir()
        raise RuntimeError(f"r-nacos lost its first write {RNACOS_TRIES} times")

    def start_once(self, wait=True):
        return super().start(wait)

    def _keeps_what_it_takes(self):
        what = "dataId=probe&group=probe"
        try:
            with urllib.request.urlopen(self.url("/v1/cs/configs"),
                                        f"{what}&content=x".encode(), timeout=5):
                pass
            with urllib.request.urlopen(self.url(f"/v1/cs/configs?{what}"), timeout=5) as read:
                return read.read() == b"x"
        except OSError:
            return False

    @staticmethod
    def available():
        return bool(os.environ.get("RNACOS") or shutil.which("rnacos"))


class Process:
    """A peer that is not a Nacos: started in a folder of its own, killed by `close`."""

    def __init__(self, name):
        self.name = name
        self._family = PortFamily()
        self.port = self._family.port
        self.folder = Path(tempfile.mkdtemp(prefix=f"muster-bench-{name}-"))
        self._process = None

    def _begin(self, command):
        LOGS.mkdir(parents=True, exist_ok=True)
        with open(LOGS / f"{self.name}.log", "ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log,
                                             stdin=subprocess.DEVNULL)

    def _launch(self, command):
        self._begin(command)
        return self.wait()

    def wait(self):
        wait_until(self._open, READY_S, f"{self.name} takes connections")
        return self

    def _open(self):
        assert self._process.poll() is None, f"{self.name} has ended; see {LOGS}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def loadgen_addresses(self):
        return ["-http", f"127.0.0.1:{self.port}"]

    def close(self):
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._family.release()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Process):
    """Answers every request with the same bytes, taken from another server's answer."""

    OWN_HEADERS = {"date", "server", "connection", "keep-alive", "content-length",
                   "content-type", "transfer-encoding"}

    def __init__(self, answer):
        super().__init__("nginx")
        self._answer = answer

    def start(self):
        def quoted(text):
            return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

        headers = "".join(f"add_header {name} {quoted(value)};\n"
                          for name, value in self._answer["headers"]
                          if name.lower() not in self.OWN_HEADERS and value)
        kind = dict((name.lower(), value) for name, value in self._answer["headers"]
                    ).get("content-type", "text/plain")
        temporary = "".join(f"{what}_temp_path {self.folder}/{what};\n" for what in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(f"""
daemon off; worker_processes auto; pid {self.folder}/pid; error_log {self.folder}/error crit;
events {{ worker_connections 8192; }}
http {{
{temporary}
access_log off; keepalive_requests 1000000000; keepalive_timeout 3600;
default_type {quoted(kind)};
server {{
listen 127.0.0.1:{self.port} backlog=4096;
{headers}
location / {{ return 200 {quoted(self._answer["body"])}; }}
}}
}}
""")
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        return self._launch([program, "-p", str(self.folder), "-e", "error",
                             "-c", str(self.folder / "nginx.conf")])


class Etcd(Process):
    def __init__(self, name="etcd"):
        super().__init__(name)

    def as_member(self):
        return f"{self.name}=http://127.0.0.1:{self.port + 1}"

    def start(self):
        self.launch(self.as_member())
        return self.wait()

    def launch(self, members):
        """One of these members (NAME=URL,…)."""
        client = f"http://127.0.0.1:{self.port}"
        peer = f"http://127.0.0.1:{self.port + 1}"
        self._begin([
            "etcd", "--name", self.name, "--data-dir", str(self.folder / "data"),
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", members, "--log-level", "error"])

    def _open(self):
        if not super()._open():
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health",
                                        timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        except OSError:
            return False

    @staticmethod
    def available():
        return bool(shutil.which("etcd"))
