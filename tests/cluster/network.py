"""Where the nodes of a test cluster live, and what can go wrong between them.

`Loopback`: all on 127.0.0.1, each with ports of its own. `Namespaces` (root only):
each in a network namespace with an address of its own, joined by a bridge, so that
single directions between two nodes can be cut or made to lose packets; clients sit
at the bridge and reach every node always. `Relayed`: the same, with a relay in each
line between two nodes. The namespaces belong to processes and end with them: nothing
is left behind, whatever becomes of the test.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

from cluster.proxy import Relay
from support.server import CLUSTER_OFFSET, PortFamily, wait_until

SUBNET = "10.99.0"
PORT = 8848
CLONE_NEWNET = 0x40000000

RULES = """
table inet faults {
  set cut { type ipv4_addr; }
  set weak { type ipv4_addr; }
  chain incoming {
    type filter hook input priority 0
    ip saddr @cut drop
    ip saddr @weak numgen random mod 100 < %d drop
  }
}
"""


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20,
                          check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def missing_for_namespaces():
    """Why there can be no namespaces here, or ''."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nft", "nsenter", "unshare"):
        if not shutil.which(program):
            return f"there is no {program}"
    return ""


def enter_own_network():
    """Moves this process (and whatever it starts) to an empty network, so that no
    bridge or address of the machine is touched. Before any thread is started."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    run("ip", "link", "set", "lo", "up")


class Loopback:
    """N places on 127.0.0.1."""

    node_arguments = ()

    def __init__(self, count):
        self._families = [PortFamily() for _ in range(count)]
        self.places = [("127.0.0.1", family.port, ()) for family in self._families]

    def close(self):
        for family in self._families:
            family.release()


class Namespaces:
    """N places with an address each. Wants `enter_own_network` before."""

    node_arguments = ("--cluster.plaintext=true",)

    def __init__(self, count, loss_percent=10):
        self._loss_percent = loss_percent
        self._stack = contextlib.ExitStack()
        self._pids = []
        self.places = []
        try:
            run("ip", "link", "add", "hub", "type", "bridge")
            self._stack.callback(run, "ip", "link", "del", "hub")
            run("ip", "address", "add", f"{SUBNET}.254/24", "dev", "hub")
            run("ip", "link", "set", "hub", "up")
            for number in range(1, count + 1):
                self._add_place(number)
        except BaseException:
            self.close()
            raise

    def _add_place(self, number):
        # Lives until its input ends: with this process at the latest.
        keeper = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self._stack.callback(keeper.wait, 10)
        self._stack.callback(keeper.stdin.close)
        pid = str(keeper.pid)
        here = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{pid}/ns/net") != here, 10,
                   "the namespace is there")
        inside = ("nsenter", "--target", pid, "--net")
        run("ip", "link", "add", f"node{number}", "type", "veth", "peer", "name", "eth0",
            "netns", pid)
        # The kernel takes its time with the namespace and what is in it.
        self._stack.callback(run, "ip", "link", "del", f"node{number}")
        run("ip", "link", "set", f"node{number}", "master", "hub", "up")
        run(*inside, "ip", "link", "set", "lo", "up")
        run(*inside, "ip", "address", "add", f"{SUBNET}.{number}/24", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        run(*inside, "nft", "-f", "-", text=RULES % self._loss_percent)
        self._pids.append(pid)
        self.places.append((f"{SUBNET}.{number}", PORT, inside))

    def cut(self, sender, receiver):
        """What `sender` (0…) sends to `receiver` is lost from now on."""
        self._mark("cut", sender, receiver)

    def cut_both(self, one, other):
        self.cut(one, other)
        self.cut(other, one)

    def weaken(self, sender, receiver):
        """Some packets are lost."""
        self._mark("weak", sender, receiver)

    def heal(self):
        for pid in self._pids:
            for each in ("cut", "weak"):
                self._nft(pid, "flush", "set", "inet", "faults", each)

    def _mark(self, which, sender, receiver):
        self._nft(self._pids[receiver], "add", "element", "inet", "faults", which,
                  f"{{ {SUBNET}.{sender + 1} }}")

    @staticmethod
    def _nft(pid, *words):
        run("nsenter", "--target", pid, "--net", "nft", *words)

    def close(self):
        self._stack.close()


REDIRECTION = """
table ip relayed {
  chain outgoing {
    type nat hook output priority -100
    %s
  }
}
"""


class Relayed(Namespaces):
    """Namespaces whose nodes reach each other through `relay`."""

    def __init__(self, count):
        super().__init__(count)
        self.relay = Relay(0)
        self._stack.callback(self.relay.close)
        port = PORT + CLUSTER_OFFSET
        for pid in self._pids:
            lines = []
            for host, _, _ in self.places:
                line = self.relay.open_line(f"{SUBNET}.254", (host, port))
                lines.append(f"ip daddr {host} tcp dport {port} dnat to {SUBNET}.254:{line}")
            run("nsenter", "--target", pid, "--net", "nft", "-f", "-",
                text=REDIRECTION % "\n    ".join(lines))

    def heal(self):
        super().heal()
        self.relay.heal()
