"""Several real musterd that are one cluster."""

import signal

from support.server import Server

READY_S = 60


class Cluster:
    """Starts a node at each place of a network; `nodes` are Servers with a name."""

    def __init__(self, network, label, binary=None):
        members = ",".join(f"{host}:{port}" for host, port, _ in network.places)
        args = ["--members", members, *network.node_arguments]
        self.nodes = []
        for number, (host, port, wrap) in enumerate(network.places, 1):
            node = Server(host=host, port=port, wrap=wrap, ready_s=READY_S, binary=binary,
                          name=f"cluster-{label}-n{number}",
                          args=args)
            node.name = f"n{number}"
            self.nodes.append(node)

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
