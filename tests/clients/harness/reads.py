"""Judges what one SDK read of a key that has one writer and growing numbers.

Reads are local reads: one node never goes back, and another one may lag a moment. An
SDK may change its node at any time, if that is slow to answer, so a read may be behind
by that lag, and no more; from a fault until the SDK is back, by that lag before the
fault, since its node may be cut off or have been down. (That single nodes do not go
back is checked by tests/cluster, which knows who answered.)
"""

import bisect
import threading
import time

# How far one node may be behind another on a busy machine.
LAG_S_MAX = 3


class Key:
    """Thread-safe. Times are of time.monotonic()."""

    def __init__(self, group):
        self.group, self.data_id = group, f"{group}.number"
        self._lock = threading.Lock()
        self._asked = 0
        # Numbers grow, and so do times: one call at a time.
        self._acknowledged, self._asked_at, self._answered_at = [0], [0.0], [0.0]
        self._reads = []

    @property
    def names(self):
        return {"dataId": self.data_id, "group": self.group}

    def content(self, number):
        return f"{self.group} {number}"

    def number(self, content):
        """The number of a content that was written; AssertionError for any other."""
        group, _, number = content.partition(" ")
        assert group == self.group and number.isdigit() and int(number) <= self._asked, (
            f"{self.data_id} never was {content!r}")
        return int(number)

    # -- recording --------------------------------------------------------------

    def next_content(self):
        with self._lock:
            self._asked += 1
            return self.content(self._asked)

    def acknowledge(self, asked_at):
        """The last content was acknowledged, now."""
        with self._lock:
            self._acknowledged.append(self._asked)
            self._asked_at.append(asked_at)
            self._answered_at.append(time.monotonic())

    def read(self, reader, asked_at, content):
        with self._lock:
            self._reads.append((reader, asked_at, time.monotonic(), self.number(content)))

    # -- looking ----------------------------------------------------------------

    @property
    def writes(self):
        return len(self._acknowledged) - 1

    @property
    def reads(self):
        return len(self._reads)

    @property
    def last_acknowledged(self):
        return self._acknowledged[-1]

    def acknowledged_after(self, since):
        """Seconds from `since` until a write asked for since then was acknowledged;
        None if none is."""
        with self._lock:
            at = bisect.bisect_left(self._asked_at, since)
            return self._answered_at[at] - since if at < len(self._asked_at) else None

    def newest_read(self, reader, since):
        """The newest number that it got from reads since then."""
        with self._lock:
            return max((number for name, asked_at, _, number in self._reads
                        if name == reader and asked_at >= since), default=0)

    def known_after(self, since, number):
        """Whether who knows `number` knows a write that was asked for since then."""
        with self._lock:
            at = bisect.bisect_left(self._asked_at, since)
            return at < len(self._acknowledged) and number >= self._acknowledged[at]

    def wrong_reads(self, disturbances):
        """A line for each; `disturbances` are (begin, end)."""
        lines = []
        for reader, asked_at, answered_at, number in self._reads:
            fault = next((begin for begin, end in disturbances
                          if begin <= answered_at and asked_at <= end), None)
            floor = self._known_by((asked_at if fault is None else fault) - LAG_S_MAX)
            if number < floor:
                when = "in calm times" if fault is None else f"{asked_at - fault:.2f} s after a fault"
                lines.append(f"{self.data_id}: {reader} read {number}, {when}; "
                             f"it has to be {floor} or newer")
        return lines

    def _known_by(self, moment):
        """The newest number that was acknowledged before."""
        return self._acknowledged[max(0, bisect.bisect_right(self._answered_at, moment) - 1)]
