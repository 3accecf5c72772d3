"""One SDK at work on a cluster: two processes that write, read, listen and subscribe.

`Home` writes and registers, `Guest` listens and reads what Home wrote; both subscribe.
"""

import itertools
import threading
import time

from support.server import wait_until

from .adapter import Adapter, SdkError
from .context import GROUP, instance
from .reads import Key

# Of each kind: those that Guest reads, and those that it listens to. A process of the Go
# SDK asks five times a second for one key at most, listeners included.
KEYS = 3
WRITE_EVERY_S = 0.25
READ_EVERY_S = 0.4
# After a refusal, as a user would repeat it.
PAUSE_S = 0.05
# Until an SDK is back at a node, and has been told. Theirs are the back-off between
# attempts (up to 5 s) and the repeated registration (each 3 s).
BACK_S_MAX = 30
# The Java SDKs mark a listener as known to the server after they have dealt with the
# answer of an earlier connection, also if that was lost meanwhile; they look at all of
# them again every three minutes (`ClientWorker`, ALL_SYNC_INTERNAL).
RELISTEN_S_MAX = {"java2": 200, "java3": 200}


class Repeated(threading.Thread):
    """Calls act() again and again."""

    def __init__(self, act, every_s):
        super().__init__(daemon=True)
        self._act, self._every_s = act, every_s
        self._ended = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self._ended.is_set():
                done = self._act()
                self._ended.wait(self._every_s if done else PAUSE_S)
        except Exception as problem:  # raised again by `stop`
            self.error = problem

    def stop(self):
        self._ended.set()
        self.join()
        if self.error:
            raise self.error


class ClusterSdk:
    """It works from `start` to `stop`."""

    def __init__(self, sdk, command, addresses, workdir):
        self.sdk = sdk
        self._processes = {
            name: Adapter(sdk, command, ",".join(addresses), workdir / f"{sdk}-{name}")
            for name in ("home", "guest")}
        # Groups are spread over the partitions.
        self.keys = [Key(f"{sdk}-{number}") for number in range(2 * KEYS)]
        self._readers = {"home": self.keys, "guest": self.keys[:KEYS]}
        self._listened = self.keys[KEYS:]
        self.service = f"{sdk}.cluster"
        self.instances = []
        self._numbers = itertools.count(1)
        self._disturbances = []
        self._threads = []
        self.told_s = []
        self.late_listeners = 0

    def start(self):
        """Returns once it writes, reads, and is told of its instances."""
        for key in self._listened:
            self._call("guest", "listen", "listener", tag=key.data_id, **key.names)
        for owner in self._processes:
            self.register(owner)
        for name in self._processes:
            self._call(name, "subscribe", "subscriber", service=self.service, group=GROUP,
                       tag="service")
        self._wait_until_told()
        for key in self.keys:
            self._repeat(WRITE_EVERY_S, self._write, key)
        for name in self._processes:
            self._repeat(READ_EVERY_S, self._read_all, name)
        self.wait_until_back(time.monotonic())

    def close(self):
        try:
            self.stop()
        finally:
            for process in self._processes.values():
                process.close()

    def stop(self):
        """No more writes and reads; what they stumbled over is raised."""
        threads, self._threads = self._threads, []
        for each in threads:
            each.stop()

    def _repeat(self, every_s, act, *arguments):
        thread = Repeated(lambda: act(*arguments), every_s)
        self._threads.append(thread)
        thread.start()

    def _call(self, process, op, client="main", **members):
        return self._processes[process].call(op, client, **members)

    def _until_accepted(self, process, op, client, **members):
        def accepted():
            try:
                return self._call(process, op, client, **members)
            except SdkError:
                return False
        wait_until(accepted, BACK_S_MAX, f"{self.sdk}: {op} is accepted", pause_s=PAUSE_S)

    # -- configs ----------------------------------------------------------------

    def _write(self, key):
        content, asked_at = key.next_content(), time.monotonic()
        try:
            done = self._call("home", "publish", content=content, **key.names)
        except SdkError:  # whether it came through is not known
            return False
        if done:
            key.acknowledge(asked_at)
        return done

    def _read_all(self, reader):
        for key in self._readers[reader]:
            asked_at = time.monotonic()
            try:
                content = self._call(reader, "get", **key.names)
            except SdkError:
                continue
            if content:  # Java answers null as well if it could not ask
                key.read(reader, asked_at, content)
        return True

    def wait_until_back(self, since):
        """Until writes asked for since then are acknowledged, read, and told of."""
        left = [(reader, key) for reader, keys in self._readers.items() for key in keys]
        left += [("listener", key) for key in self._listened]

        def back():
            left[:] = [(reader, key) for reader, key in left
                       if not key.known_after(since, self._newest(reader, key, since))]
            return not left
        try:
            self._wait_until_back(back, left)
        except AssertionError:
            raise AssertionError(f"{self.sdk} is not back within {BACK_S_MAX} s: " + ", ".join(
                f"{reader} of {key.data_id} knows {self._newest(reader, key, since)} of "
                f"{key.last_acknowledged}" for reader, key in left)) from None

    def _wait_until_back(self, back, left):
        try:
            wait_until(back, BACK_S_MAX, "")
        except AssertionError:
            if any(reader != "listener" for reader, _ in left) or self.sdk not in RELISTEN_S_MAX:
                raise
            self.late_listeners += len(left)
            wait_until(back, RELISTEN_S_MAX[self.sdk] - BACK_S_MAX, "")

    def _newest(self, reader, key, since):
        if reader != "listener":
            return key.newest_read(reader, since)
        events = self._processes["guest"].events(key.data_id)
        return key.number(events[-1]) if events else 0

    def note_disturbance(self, since):
        self._disturbances.append((since, time.monotonic()))

    def outages_ms(self, since):
        """For each key: how long no write asked for since then was acknowledged."""
        return [round(key.acknowledged_after(since) * 1000) for key in self.keys]

    # -- instances --------------------------------------------------------------

    def ips(self):
        return {each["ip"] for each in self.instances}

    def register(self, process):
        """One more instance, which both have to be told of."""
        new = instance(f"10.8.0.{next(self._numbers)}", metadata={"owner": process})
        self._of_instance("register", new)
        self.instances.append(new)

    def _of_instance(self, op, one):
        """Nacos has one instance of a service for each client: each has its own."""
        self._until_accepted(one["metadata"]["owner"], op, one["ip"], service=self.service,
                             group=GROUP, instance=one)

    def join(self):
        """A new instance of each process in turn; both subscribers are told."""
        self.register(list(self._processes)[len(self.instances) % 2])
        self.told_s.append(self._wait_until_told())

    def leave(self):
        """The last one goes; the only time that an instance may vanish."""
        self._of_instance("deregister", self.instances.pop())
        self._wait_until_told()

    def _wait_until_told(self):
        """Returns the seconds it took."""
        wanted = self.ips()
        return max(process.await_event(
            "service", lambda seen: {each["ip"] for each in seen} == wanted, BACK_S_MAX,
            f"{self.sdk} {name}: {sorted(wanted)}")
            for name, process in self._processes.items())

    # -- the end ----------------------------------------------------------------

    def wrong_answers(self):
        """A line for each thing an SDK was told that cannot have been. To be called
        before `leave`."""
        lines = [line for key in self.keys for line in key.wrong_reads(self._disturbances)]
        for name, process in self._processes.items():
            known = set()
            for event in process.events("service"):
                seen = {each["ip"] for each in event}
                if known - seen:
                    lines.append(f"{self.service}: {sorted(known - seen)} vanished for {name}")
                known |= seen
        return lines

    def await_last_content(self):
        """A last write of each key, which its listener is told of, and both read. Returns
        the number of listeners that live."""
        self.stop()
        for key in self.keys:
            content = key.next_content()
            self._until_accepted("home", "publish", "main", content=content, **key.names)
            key.acknowledge(time.monotonic())
            if key in self._listened:
                self._processes["guest"].await_event(
                    key.data_id, lambda last, content=content: last == content,
                    RELISTEN_S_MAX.get(self.sdk, BACK_S_MAX), f"{self.sdk}: {content}")
            for name, keys in self._readers.items():
                if key in keys:
                    wait_until(lambda name=name, key=key, content=content:
                               self._call(name, "get", **key.names) == content, BACK_S_MAX,
                               f"{self.sdk}: {name} reads {content}", pause_s=READ_EVERY_S)
        return len(self._listened)
