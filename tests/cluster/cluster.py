"""Several real musterd that are one cluster."""

import json
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from support.server import Server, wait_until

READY_S = 60
# A change of the members moves groups, under load and on a busy machine.
MOVED_S = 60


class Cluster:
    """Starts a node at each place of a network; `nodes` are Servers with a name, and
    `spares` those at the last places, which are not in the cluster at first.
    `tls`: nodes talk by TLS only; the program has to be named for that. `knob(path)` is
    the environment of a node that does what is in that file, see `turn`."""

    def __init__(self, network, label, binary=None, tls=False, spares=0, knob=None):
        founders = len(network.places) - spares
        addresses = [f"{host}:{port}" for host, port, _ in network.places]
        self._papers = tempfile.TemporaryDirectory() if tls else None
        if tls:
            self._make_papers(binary, {host for host, _, _ in network.places})
        self._knobs = tempfile.TemporaryDirectory()
        self.nodes = []
        self.spares = []
        for number, (host, port, wrap) in enumerate(network.places, 1):
            is_founder = number <= founders
            members = addresses[:founders] if is_founder else [addresses[0],
                                                               addresses[number - 1]]
            node = Server(host=host, port=port, wrap=wrap, ready_s=READY_S, binary=binary,
                          name=f"cluster-{label}-n{number}",
                          env=knob(self._knob(f"n{number}")) if knob else None,
                          args=["--members", ",".join(members),
                                *self._security(host, network.node_arguments)])
            node.name = f"n{number}"
            (self.nodes if is_founder else self.spares).append(node)

    def _make_papers(self, binary, hosts):
        musterctl = Path(binary).with_name("musterctl")
        subprocess.run([musterctl, "tls", "init", "--dir", self._papers.name,
                        "--node", ",".join(sorted(hosts))],
                       check=True, capture_output=True, timeout=20)

    def _security(self, host, without):
        if not self._papers:
            return without
        at = self._papers.name
        return (f"--cluster.tls.ca={at}/ca.crt", f"--cluster.tls.certificate={at}/{host}.crt",
                f"--cluster.tls.key={at}/{host}.key")

    def start(self, nodes=None):
        """Starts these nodes, all at once; returns once all are ready."""
        chosen = self.nodes if nodes is None else nodes
        for node in chosen:
            node.start(wait=False)
        for node in chosen:
            node.wait_ready()

    def kill9(self, nodes):
        """SIGKILL to all of them at one moment; returns once they are gone."""
        for node in nodes:
            node.process.kill()
        for node in nodes:
            node.kill9()

    def pause(self, node):
        node.process.send_signal(signal.SIGSTOP)

    def resume(self, node):
        node.process.send_signal(signal.SIGCONT)

    def turn(self, node, what):
        """Writes that to the node's file."""
        knob = self._knob(node.name)
        fresh = knob.with_suffix(".new")
        fresh.write_text(f"{what}\n")
        fresh.rename(knob)

    def _knob(self, name):
        return Path(self._knobs.name) / name

    # -- members that change ----------------------------------------------------

    def musterctl(self, asked, *words):
        """`musterctl member …`, by way of a node; AssertionError if it says no."""
        program = Path(asked.binary).with_name("musterctl")
        done = subprocess.run([program, "member", "--node", asked.address, *words],
                              capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 0, f"musterctl {' '.join(words)}: {done.stderr.strip()}"
        return done.stdout

    def members(self, asked):
        """By address, as a node shows them; {} while not all groups have a leader."""
        try:
            with urllib.request.urlopen(asked.url("/v1/cluster/members", "/muster"),
                                        timeout=10) as answer:
                told = json.load(answer)
        except (urllib.error.URLError, OSError):
            return {}
        if told["groupsKnown"] != told["groups"]:
            return {}
        return {each["address"]: each for each in told["members"]}

    def wait_for_members(self, asked, what, condition):
        """An AssertionError names the members there are instead."""
        shown = {}

        def holds():
            nonlocal shown
            shown = self.members(asked)
            return condition(shown)
        try:
            wait_until(holds, MOVED_S, what, pause_s=0.2)
        except AssertionError as problem:
            raise AssertionError(f"{problem}; {asked.name} shows {shown}") from None

    def join(self, node, asked):
        """Adds a node with an empty directory; returns once it serves and votes."""
        if not node.running():
            node.start(wait=False)
        self.musterctl(asked, "add", node.address)
        node.wait_ready()
        self.wait_for_members(
            asked, f"{node.name} votes",
            lambda all: all.get(node.address, {}).get("votes", 0) > 0)

    def remove(self, node, asked):
        """Returns once no group has it and it is forgotten."""
        self.musterctl(asked, "remove", node.address)
        self.wait_for_members(asked, f"{node.name} is forgotten",
                              lambda all: all and node.address not in all)

    def wipe(self, node):
        """kill -9, and its disk is lost."""
        node.kill9()
        shutil.rmtree(node.data)
        node.data.mkdir()

    def dead(self):
        return [node for node in self.nodes if not node.running()]

    def close(self):
        for node in self.nodes + self.spares:
            if node.running():
                self.resume(node)
            node.close()
        self._knobs.cleanup()
        if self._papers:
            self._papers.cleanup()
