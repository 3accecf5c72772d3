"""L3: clients that ask again elsewhere when they were not answered.

Each appends words of its own to lists that all share, by compare-and-set, and repeats
the very same request until it knows what became of the word. A word that is in its
list twice was stored twice; one that is missing was lost.
"""

import time
from collections import Counter

from cluster.history import FAILED, OK, UNKNOWN
from cluster.load import Party
from cluster.stage import SETTLE_S_MAX
from support.server import wait_until

APPENDERS, LISTS = 8, 6
# Then a new list is begun: contents stay small.
WORDS_MAX = 60
# Less than a node waits for a leader: the first request is on its way still when
# the second is sent.
PATIENCE_S = 3
# Some do not wait for the answer at all: most of those writes are done.
HASTY_SHARE, HASTY_S = 0.15, 0.002


class Lists:
    """Which lists are written now; all appenders share it."""

    def __init__(self):
        self._begun = [0] * LISTS

    def key(self, place):
        return self._key(place, self._begun[place])

    def leave(self, place, key):
        """That list is full."""
        if key == self.key(place):
            self._begun[place] += 1

    def all_keys(self):
        return [self._key(place, number) for place in range(LISTS)
                for number in range(self._begun[place] + 1)]

    @staticmethod
    def _key(place, number):
        return f"lists-{place}/list-{number}"


class Appender(Party):
    PATIENCE_S = PATIENCE_S

    def __init__(self, name, nodes, history, seed, gate, lists):
        super().__init__(name, nodes, history, seed, gate)
        self._lists = lists
        self._place = 0
        self._key = None
        self._request = None
        self._unknown = False  # whether the word may be on its way
        self.word = None  # the one that is being appended
        self.stored = []  # (key, word)
        self.repeats = 0
        self.came_through = 0  # done by a request that was not answered

    def act(self):
        if self.word is None:
            self.word = self.new_content()
            self._place = self._rng.randrange(LISTS)
            self._key = self._lists.key(self._place)
            self._unknown = False
        return self._send() if self._request else self._prepare()

    def _prepare(self):
        """Makes the request of what the list is, unless the word is in it."""
        done = self._client.get(self._key)
        if done is None or done[0] != OK:
            return False
        words = done[1].split(",") if done[1] else []
        if self.word in words:
            self.came_through += 1
            self._finish()
        elif len(words) >= WORDS_MAX and not self._unknown:
            self._lists.leave(self._place, self._key)
            self._key = self._lists.key(self._place)
        else:
            self._request = self._key, done[1] or "", ",".join([*words, self.word])
        return True

    def _send(self):
        hasty = self._rng.random() < HASTY_SHARE
        self._client.set_patience(HASTY_S if hasty else PATIENCE_S)
        done = self._client.swap(*self._request)
        self._client.set_patience(PATIENCE_S)
        if done is None or done[0] == FAILED:
            return False
        if done[0] == UNKNOWN:
            self._unknown = True
            self.repeats += 1
            return False
        if done[1]:
            self._finish()
        # A lost comparison: the list has changed, perhaps by this very word.
        self._request = None
        return True

    def _finish(self):
        self.stored.append((self._key, self.word))
        self.word = None


def shown_by(node, stage, keys):
    client = stage.client(node, "lists")
    try:
        return [client.get(key) for key in keys]
    finally:
        client.close()


def words_in(stage, keys):
    """(list, word) with how often it is there, once all nodes show the same."""
    shown = []

    def agree():
        shown[:] = [shown_by(node, stage, keys) for node in stage.nodes]
        return all(each == shown[0] for each in shown) and all(
            done and done[0] == OK for done in shown[0])
    wait_until(agree, SETTLE_S_MAX, "all nodes show the same lists", pause_s=0.5)
    return Counter((key, word) for key, (_, content) in zip(keys, shown[0]) if content
                   for word in content.split(","))


def retries(stage):
    lists = Lists()
    appenders = [stage.load.join(Appender, f"appender-{n}", stage.nodes, lists)
                 for n in range(APPENDERS)]
    for number in stage.rounds(4):
        victim = stage.nodes[number % len(stage.nodes)]
        stage.play(stage.rng.uniform(0.5, 1.5))
        since = time.monotonic_ns()
        stage.cluster.kill9([victim])
        stage.wait_for_progress(since, f"kill -9 of {victim.name}")
        stage.cluster.start([victim])
    stage.load.stop_writers()
    words = words_in(stage, lists.all_keys())
    stored = {each for appender in appenders for each in appender.stored}
    doubles = sum(count - 1 for count in words.values())
    lost = [each for each in stored if each not in words]
    open_words = {appender.word for appender in appenders}
    strangers = [each for each in words if each not in stored and each[1] not in open_words]
    repeats = sum(each.repeats for each in appenders)
    came_through = sum(each.came_through for each in appenders)
    stage.figures |= {"appended": len(stored), "retries": repeats,
                      "came_through": came_through, "doubles": doubles}
    assert not doubles, f"{doubles} words are in their list twice"
    assert not lost, f"{len(lost)} words that were stored are in no list: {lost[:5]}"
    assert not strangers, f"words of unknown origin: {strangers[:5]}"
    assert repeats and came_through, "no client had to ask again for what was done already"
