#!/usr/bin/env python3
"""Replays exchanges recorded from a real Nacos over gRPC against a musterd.

    replay_grpc.py                       # starts a node of its own
    replay_grpc.py --at 127.0.0.1:8848   # a node that runs (its HTTP address)
    replay_grpc.py --only config-cas --verbose

nacos-grpc.jsonl        the recordings: one line a step, grouped by `id`
grpc_scope.json         sequences that are not replayed, and why
grpc_differences.json   deliberate differences by sequence and step, each with a
                        reason and with what we do instead, which is checked
Everything else must be equal after masking what is volatile. Exit code 1 and a
list of what differs otherwise.
"""

import argparse
import concurrent.futures
import json
import queue
import re
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

import grpc

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import server as musterd  # noqa: E402
from nacos_payload import decode, encode  # noqa: E402

CALL_DEADLINE_S = 30
# Recorded times are a range, not a value: the recording machine was busy, and so
# may be ours. Later than this is wrong, and so is a retry that comes early.
LATE_FACTOR, LATE_EXTRA_S = 1.5, 4.0
EARLY_FACTOR, EARLY_FROM_S = 0.5, 1.0
ABSENT = object()


# -- one TCP connection -----------------------------------------------------------

class Stream:
    """A bidirectional stream; what comes in goes to the connection's inbox.

    Detections are answered at once if `alive`: recorded ones were answered when
    their turn came, sometimes too late, which is of no interest where liveness is
    not what a sequence is about.
    """

    def __init__(self, channel, inbox, alive):
        self.alive = alive
        self.outbox = queue.Queue()
        self.ended = threading.Event()
        self.status = None
        method = channel.stream_stream("/BiRequestStream/requestBiStream")
        self.call = method(iter(self.outbox.get, None))
        threading.Thread(target=self._read, args=(inbox,), daemon=True).start()

    def _read(self, inbox):
        try:
            for message in self.call:
                kind, body = decode(message)
                if self.alive and kind == "ClientDetectionRequest":
                    self.outbox.put(encode("ClientDetectionResponse", {}, "", json.dumps(
                        {"resultCode": 200, "requestId": body["requestId"]}).encode()))
                else:
                    inbox.put((time.monotonic(), kind, body))
            self.status = "OK"
        except grpc.RpcError as error:
            self.status = error.code().name
        self.ended.set()

    def half_close(self):
        self.outbox.put(None)


class Connection:
    def __init__(self, address, alive):
        self.alive = alive
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1)])
        self.request = self.channel.unary_unary("/Request/request")
        self.inbox = queue.Queue()
        self.streams = []
        self.answers = []
        self.ids = {}      # recorded request id -> the one we received
        self.last_push = self.last_answer = None

    def call(self, payload):
        try:
            self.answers.append(decode(self.request(payload, timeout=CALL_DEADLINE_S)))
        except grpc.RpcError as error:
            self.answers.append((f"{error.code().name}: {error.details()}", None))

    def await_set_up(self):
        """Not every set-up is answered: until the server knows the connection, or has
        ended the stream instead."""
        until = time.monotonic() + CALL_DEADLINE_S
        ask = encode("HealthCheckRequest", {}, "", b"{}")
        while time.monotonic() < until and not self.streams[-1].ended.wait(0.02):
            try:
                if decode(self.request(ask, timeout=CALL_DEADLINE_S))[1]["resultCode"] == 200:
                    return
            except grpc.RpcError:
                return

    def open_stream(self):
        self.streams.append(Stream(self.channel, self.inbox, self.alive))
        return self.streams[-1]

    def close(self):
        for stream in self.streams:
            stream.half_close()
        self.channel.close()


# -- comparing --------------------------------------------------------------------

def mask(value, path):
    """Replaces what `path` (a.b[].c, optionally `(order)`) names."""
    if path.endswith("(order)"):
        change(value, path[:-len("(order)")].strip().split("."),
               lambda found: sorted(found, key=lambda x: json.dumps(x, sort_keys=True))
               if isinstance(found, list) else found)
    else:
        change(value, path.split("."), lambda found: "<volatile>")


def change(value, parts, how):
    name, many = re.match(r"(.*?)(\[\])?$", parts[0]).groups()
    if not isinstance(value, dict) or name not in value:
        return
    if len(parts) == 1:
        value[name] = how(value[name])
        return
    for inner in (value[name] or []) if many else [value[name]]:
        change(inner, parts[1:], how)


def look(value, path):
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return ABSENT
        value = value[part]
    return value


def drop(value, path):
    *front, last = path.split(".")
    for part in front:
        value = value.get(part, {}) if isinstance(value, dict) else {}
    if isinstance(value, dict):
        value.pop(last, None)


def masked(body, volatile):
    body = json.loads(json.dumps(body))
    if isinstance(body, dict) and str(body.get("message", "")).startswith("Cannot invoke"):
        body["message"] = "<null pointer>"
    for path in volatile:
        mask(body, path)
    return body


class Mismatch(Exception):
    """Something else than recorded came."""


class ServerGone(Exception):
    """Nothing answers any more: the sequence ends here."""


class Replay:
    """One sequence against one server."""

    def __init__(self, steps, differences, everywhere, http, sdk, verbose):
        self.steps, self.differences, self.everywhere = steps, differences, everywhere
        self.http, self.sdk, self.verbose = http, sdk, verbose
        self.alive = not steps[0]["id"].startswith("live-")
        self.connections = {}
        self.connection_ids = {}  # recorded one -> ours
        self.at = {}           # step -> when it was done
        self.problems = []
        self.checked = 0
        self.differed = 0

    def connection(self, name):
        if name not in self.connections:
            self.connections[name] = Connection(self.sdk, self.alive)
        return self.connections[name]

    def run(self):
        try:
            for step in self.steps:
                try:
                    self.do(step)
                except Mismatch as problem:
                    self.problems.append(f"{step['id']} step {step['step']}: {problem}")
                self.at[step["step"]] = time.monotonic()
        except ServerGone as problem:
            self.problems.append(f"{self.steps[0]['id']}: {problem}")
        except Exception:  # a bug of the replayer or a dead server: a failure too
            self.problems.append(f"{self.steps[0]['id']}: {traceback.format_exc()}")
        finally:
            for connection in self.connections.values():
                connection.close()
        return self

    def do(self, step):
        if self.alive and step["type"].startswith("ClientDetection") \
                and step["direction"].startswith("stream"):
            return
        listed = self.differences.get(str(step["step"]))
        if listed and "instead" not in listed:   # this step is not done at all
            self.differed += 1
            return
        if listed and "do" in listed["instead"]:
            step = {**step, **listed["instead"]["do"]}
        if self.verbose:
            print(step["id"], step["step"], step["connection"], step["direction"],
                  step["type"], flush=True)
        how = step["direction"].replace("-", "_")
        if step["connection"] == "http":
            how = "http_" + how
        getattr(self, "on_" + how)(step, listed and listed["instead"])

    # -- what we do

    def on_call(self, step, _):
        connection = self.connection(step["connection"])
        connection.call(self.payload(step))
        if connection.answers[-1][0].startswith("UNAVAILABLE"):
            raise ServerGone(connection.answers[-1][0])

    def on_stream_out(self, step, _):
        connection = self.connection(step["connection"])
        body = step.get("body")
        if isinstance(body, dict) and body.get("requestId") in connection.ids:
            step = {**step, "body": {**body,
                                     "requestId": connection.ids[body["requestId"]]}}
        second = "second stream" in step.get("note", "")
        if second or not connection.streams:
            connection.open_stream()
        connection.streams[-1].outbox.put(self.payload(step))
        if step["type"] == "ConnectionSetupRequest":
            connection.await_set_up()

    def on_note(self, step, _):
        note = step.get("note", "")
        streams = self.connection(step["connection"]).streams
        if "half-clos" in note:
            streams[-1].half_close()
        elif "cancels the stream" in note:
            streams[-1].call.cancel()
            time.sleep(0.2)    # nothing comes back that could be waited for

    def on_close(self, step, _):
        self.connections.pop(step["connection"]).close()
        time.sleep(0.2)    # nothing comes back that could be waited for

    def payload(self, step):
        text = step["bodyText"] if "bodyText" in step else json.dumps(
            step.get("body"), separators=(",", ":"))
        fill = step.get("fill")
        if fill:
            text = text.replace(fill["placeholder"], fill["char"] * fill["count"])
        return encode(step["type"], step["headers"], step["clientIp"], text.encode())

    # -- what must come

    def on_answer(self, step, instead):
        kind, body = self.connection(step["connection"]).answers.pop(0)
        if kind == "ServerCheckResponse" and step.get("body"):
            self.connection_ids[step["body"]["connectionId"]] = body["connectionId"]
        expected = step.get("type") or self.status_text(step["status"])
        self.compare(step, instead, expected, kind, body)

    @staticmethod
    def status_text(recorded):
        """`ResourceExhausted: text` as Python's gRPC spells it."""
        code, _, text = recorded.partition(": ")
        return re.sub(r"(?<!^)(?=[A-Z])", "_", code).upper() + ": " + text

    def compare(self, step, instead, kind, got_kind, got):
        self.checked += 1
        body = step.get("body")
        if instead:
            self.differed += 1
            kind = instead.get("type", kind)
            body = instead.get("body", body)
            if "members" in instead:
                body = {**body, **instead["members"]}
                body = {k: v for k, v in body.items() if v != "<absent>"}
        if got_kind != kind:
            raise Mismatch(f"expected {kind}, got {got_kind} {brief(got)}")
        if got is None:
            return
        got, body = json.loads(json.dumps(got)), json.loads(self.respell(json.dumps(body)))
        self.apply_everywhere(kind, got, body)
        volatile = step["volatile"] + (instead or {}).get("volatile", [])
        left, right = masked(got, volatile), masked(body, volatile)
        if left != right:
            raise Mismatch(f"{kind}\n    expected {brief(right)}\n    got      {brief(left)}")

    def respell(self, text):
        for rule in self.everywhere:
            if "recorded" in rule:
                text = text.replace(rule["recorded"], rule["instead"])
        return text

    def apply_everywhere(self, kind, got, body):
        for rule in self.everywhere:
            if "path" not in rule or rule.get("type", kind) != kind:
                continue
            found = look(got, rule["path"])
            if found is ABSENT and look(body, rule["path"]) is ABSENT:
                continue
            if found != rule["instead"]:
                raise Mismatch(f"{rule['path']} should be {rule['instead']}: {brief(got)}")
            drop(got, rule["path"])
            drop(body, rule["path"])

    def since(self, step):
        return self.at[step["after_step"]] if step.get("after_step") in self.at \
            else time.monotonic()

    @staticmethod
    def seconds(step, instead):
        """After how long it is expected, from `since`."""
        return (instead or {}).get("after_ms", step.get("after_ms", 0)) / 1000

    def on_stream_in(self, step, instead):
        connection = self.connection(step["connection"])
        if instead and instead.get("nothing"):
            self.differed += 1
            return
        recorded_s = self.seconds(step, instead)
        begin = self.since(step)
        late = begin + max(recorded_s * LATE_FACTOR, recorded_s + LATE_EXTRA_S)
        wanted = (instead or {}).get("type", step["type"])
        came, kind, body = self.take(connection, late)
        if kind is None:
            self.checked += 1
            raise Mismatch(f"no {wanted} within {late - begin:.1f} s")
        if step.get("body", {}).get("requestId"):
            connection.ids[step["body"]["requestId"]] = body.get("requestId")
        self.compare(step, instead, step["type"], kind, body)
        connection.last_answer = {"requestId": body.get("requestId")}
        again = {**body, "requestId": None} == connection.last_push
        connection.last_push = {**body, "requestId": None}
        if again and recorded_s >= EARLY_FROM_S \
                and came < begin + recorded_s * EARLY_FACTOR:
            raise Mismatch(f"{kind} after {came - begin:.1f} s, recorded {recorded_s:.1f} s")

    @staticmethod
    def take(connection, until):
        """The next push, or three times None."""
        try:
            return connection.inbox.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None, None, None

    def on_silence(self, step, instead):
        connection = self.connection(step["connection"])
        self.checked += 1
        if instead:    # we push where Nacos was silent
            self.on_stream_in({**step, **instead["push"]}, None)
            connection.streams[-1].outbox.put(encode("Response", {}, "", json.dumps(
                {"resultCode": 200, **connection.last_answer}).encode()))
            self.differed += 1
            return
        until = self.since(step) + step.get("after_ms", 0) / 1000
        _, kind, body = self.take(connection, until)
        if kind is not None:
            raise Mismatch(f"expected silence, got {kind} {brief(body)}")

    def on_stream_end(self, step, instead):
        if instead and instead.get("nothing"):
            self.differed += 1
            return
        self.checked += 1
        streams = self.connection(step["connection"]).streams
        wanted = step["status"].partition(" ")[0].partition(":")[0].upper()
        wanted = "CANCELLED" if wanted == "CANCELED" else wanted
        if instead:
            self.differed += 1
            wanted = instead.get("status", wanted)
        begin = self.since(step)
        recorded_s = self.seconds(step, instead)
        late = begin + max(recorded_s * LATE_FACTOR, recorded_s + LATE_EXTRA_S)
        stream = streams[(instead or {}).get("stream", -1)]
        if not stream.ended.wait(max(0.0, late - time.monotonic())):
            raise Mismatch(f"the stream did not end within {late - begin:.1f} s")
        if stream.status != wanted:
            raise Mismatch(f"the stream ended with {stream.status}, expected {wanted}")

    # -- the HTTP side of a sequence

    def on_http_call(self, step, _):
        method, _, path = step["type"].partition(" ")
        for recorded, here in self.connection_ids.items():
            path = path.replace(recorded, here)
        request = urllib.request.Request(f"http://{self.http}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=CALL_DEADLINE_S) as answer:
                self.http_answer = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            self.http_answer = error.code, error.read().decode()

    def on_http_answer(self, step, instead):
        status, text = self.http_answer
        wanted = (instead or {}).get("status", step["status"])
        if str(status) != wanted:
            self.checked += 1
            raise Mismatch(f"HTTP {status} {text[:200]}, expected {wanted}")
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        self.compare(step, instead, step["type"], step["type"], body)


def brief(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 1500 else text[:1500] + "…"


# -- the whole run ------------------------------------------------------------------

def load(only):
    sequences = {}
    with open(HERE / "nacos-grpc.jsonl", encoding="utf-8") as lines:
        for line in lines:
            step = json.loads(line)
            sequences.setdefault(step["id"], []).append(step)
    scope = json.loads((HERE / "grpc_scope.json").read_text())
    unknown = [name for name in scope["out"] if name not in sequences]
    assert not unknown, f"grpc_scope.json names what is not recorded: {unknown}"
    inside = {name: steps for name, steps in sequences.items()
              if name not in scope["out"]}
    if only:
        inside = {name: steps for name, steps in sequences.items()
                  if re.search(only, name)}
    return inside, scope["out"]


def check_differences(differences, sequences, out):
    """Each names a step that is there, says why, and is about what is replayed."""
    for name, steps in differences["steps"].items():
        assert name not in out, f"{name} is out of scope and has differences"
        if name not in sequences:
            continue
        known = {str(step["step"]) for step in sequences[name]}
        for number, listed in steps.items():
            assert number in known, f"{name} has no step {number}"
            assert listed.get("reason"), f"{name} step {number} gives no reason"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at", help="HTTP address of a node that runs")
    parser.add_argument("--only", help="regular expression over sequence names")
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()

    sequences, out = load(options.only)
    differences = json.loads((HERE / "grpc_differences.json").read_text())
    check_differences(differences, sequences, out)
    node = None
    if options.at:
        host, _, port = options.at.partition(":")
        http, sdk = options.at, f"{host}:{int(port) + musterd.SDK_OFFSET}"
    else:
        # The recording's merge window; ours is shorter by default.
        node = musterd.Server(name="golden-grpc", settings={
            "naming.push.pushTaskDelay": 500}).start()
        http, sdk = node.address, f"127.0.0.1:{node.sdk_port}"
    try:
        done = run_all(sequences, differences, http, sdk, options)
    finally:
        if node:
            node.close()
    return report(done, out)


# These count patterns of the whole server or need it quiet.
ALONE = ("config-fuzzy-watch-too-many-patterns", "naming-fuzzy-watch-too-many-patterns")


def run_all(sequences, differences, http, sdk, options):
    def one(name):
        return name, Replay(sequences[name], differences["steps"].get(name, {}),
                            differences["everywhere"], http, sdk, options.verbose).run()

    # The long ones first, so that they do not stand at the end.
    length = {name: sum(step.get("after_ms", 0) for step in steps)
              for name, steps in sequences.items()}
    together = sorted((n for n in sequences if n not in ALONE), key=lambda n: -length[n])
    done = []
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        done += pool.map(one, together)
    return done + [one(name) for name in sequences if name in ALONE]


def report(done, out):
    failed = [name for name, replay in done if replay.problems]
    for _, replay in done:
        for problem in replay.problems:
            print("DIFFERS:", problem)
    checks = sum(replay.checked for _, replay in done)
    differed = sum(replay.differed for _, replay in done)
    print(f"{checks} answers and pushes compared, {differed} of them differ on purpose; "
          f"{len(out)} sequences are out of scope (grpc_scope.json)")
    print(f"{len(done) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
