"""One running adapter program: commands out, answers and events in."""

import itertools
import json
import subprocess
import threading
import time

CALL_DEADLINE_S = 40


class SdkError(Exception):
    """The SDK refused or failed a call; the text is what it said."""


class Adapter:
    """Thread-safe; a call blocks until its answer or its deadline."""

    def __init__(self, sdk, command, address, workdir):
        workdir.mkdir(parents=True)
        self.sdk = sdk
        self.log_path = workdir / "adapter.log"
        self._log = open(self.log_path, "wb")
        self._process = subprocess.Popen(
            [*command(workdir), address, str(workdir)], cwd=workdir,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)
        self._ids = itertools.count(1)
        self._write = threading.Lock()
        self._news = threading.Condition()
        self._answers, self._events, self._ended = {}, {}, False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            message = json.loads(line)
            with self._news:
                if "event" in message:
                    seen = message.get("instances", message.get("content"))
                    self._events.setdefault(message["tag"], []).append(seen)
                else:
                    self._answers[message["id"]] = message
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def call(self, op, client="main", **members):
        """The SDK's answer; SdkError if it refuses, AssertionError if it hangs or ends."""
        number = next(self._ids)
        line = json.dumps({"id": number, "op": op, "client": client, **members}) + "\n"
        try:
            with self._write:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"the adapter has ended: {self._tail()}") from None
        with self._news:
            self._news.wait_for(lambda: number in self._answers or self._ended,
                                CALL_DEADLINE_S)
            if number not in self._answers:
                state = "ended" if self._ended else f"hung {CALL_DEADLINE_S} s"
                raise AssertionError(f"the adapter {state} in {op}: {self._tail()}")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise SdkError(f"{op}: {answer['error']}")
        return answer["value"]

    def events(self, tag):
        """All that this listener or subscription has been told so far."""
        with self._news:
            return list(self._events.get(tag, []))

    def await_event(self, tag, wanted, deadline_s, what):
        """Waits until the last event satisfies `wanted`; returns the seconds it took."""
        start = time.monotonic()

        def there():
            events = self._events.get(tag)
            return bool(events) and wanted(events[-1])

        with self._news:
            if not self._news.wait_for(there, deadline_s):
                last = self._events.get(tag, ["nothing"])[-1]
                raise AssertionError(
                    f"not told within {deadline_s} s: {what}; last: {str(last)[:400]}")
        return time.monotonic() - start

    def _tail(self):
        return self.log_path.read_text(errors="replace")[-600:]

    def close(self):
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
