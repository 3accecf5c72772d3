"""Several real musterd that are one cluster."""

import signal
import subprocess
import tempfile
from pathlib import Path

from support.server import Server

READY_S = 60


class Cluster:
    """Starts a node at each place of a network; `nodes` are Servers with a name.
    `tls`: nodes talk by TLS only; the program has to be named for that."""

    def __init__(self, network, label, binary=None, tls=False):
        members = ",".join(f"{host}:{port}" for host, port, _ in network.places)
        self._papers = tempfile.TemporaryDirectory() if tls else None
        if tls:
            self._make_papers(binary, {host for host, _, _ in network.places})
        self.nodes = []
        for number, (host, port, wrap) in enumerate(network.places, 1):
            node = Server(host=host, port=port, wrap=wrap, ready_s=READY_S, binary=binary,
                          name=f"cluster-{label}-n{number}",
                          args=["--members", members,
                                *self._security(host, network.node_arguments)])
            node.name = f"n{number}"
            self.nodes.append(node)

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

    def dead(self):
        return [node for node in self.nodes if not node.running()]

    def close(self):
        for node in self.nodes:
            if node.running():
                self.resume(node)
            node.close()
        if self._papers:
            self._papers.cleanup()
