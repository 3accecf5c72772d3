#!/usr/bin/env python3
"""Replays recorded Nacos exchanges against a running server and compares.

    replay_http.py --port 8848 [--only ID]... [--verbose]

The records (nacos-http.jsonl, README.md) are of a real Nacos 3.1. What is in
scope is decided by path alone (http_scope.json); an exchange out of scope has to
be refused as an unknown path. Every answer in scope has to equal the recorded
one after masking what is volatile. Differences made on purpose stand with their
reason in http_differences.json: each says exactly what is answered instead, and
that is then compared. The store of the server has to be empty at the start.

Prints one line per sequence and a sum; the exit code is 1 on any mismatch.
"""

import argparse
import copy
import fnmatch
import http.client
import json
import re
import sys
import threading
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTEXT = "/nacos"
# Waits that the recorded server needed only because it applies writes late.
SETTLE_MIN_MS = 5000
HELD_PAUSE_S = 0.7
TIMEOUT_S = 40
MASK = "<volatile>"
TRACKED = {
    "allow", "cache-control", "config-type", "content-md5",
    "content-security-policy", "content-type", "encrypted-data-key", "expires",
    "isbeta", "last-modified", "location", "pragma", "probe-modify-response",
    "probe-modify-response-new", "tag"}


# -- requests ------------------------------------------------------------------

def expand(value, kept):
    """`{"repeat","times"}` and `${name}` in a parameter's value."""
    if isinstance(value, dict) and "repeat" in value:
        return value["repeat"] * value["times"]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: str(kept.get(m[1], m[0])), value)
    return value


def encode(pairs, kept):
    return urllib.parse.urlencode({k: expand(v, kept) for k, v in pairs.items()})


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def send(port, line, kept):
    target = urllib.parse.quote(line["path"])
    if line["query"]:
        target += "?" + encode(line["query"], kept)
    headers, body = dict(line["headers"]), b""
    if line["form"] is not None:
        body = encode(line["form"], kept).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif "json" in line:
        text = line["json"]
        body = (text if isinstance(text, str) else json.dumps(text)).encode()
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.putrequest(line["method"], target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()},
                      reply.read().decode("utf-8"))
    finally:
        connection.close()


# -- JSON by pointer -------------------------------------------------------------

def places(document, pointer):
    """(container, key) of everything a pointer with `*` names, if it is there."""
    words = [w.replace("~1", "/").replace("~0", "~")
             for w in pointer.split("/")[1:]]
    level = [document]
    for depth, word in enumerate(words):
        found = []
        for node in level:
            if isinstance(node, list):
                keys = range(len(node)) if word == "*" else [int(word)]
                keys = [k for k in keys if k < len(node)]
            elif isinstance(node, dict):
                keys = list(node) if word == "*" else [word]
            else:
                continue
            found += [(node, k) for k in keys]
        if depth == len(words) - 1:
            return found
        level = [n[k] for n, k in found if isinstance(n, list) or k in n]
    return []


def sort_key(value):
    return json.dumps(value, sort_keys=True)


def unordered(value):
    """Lists of texts and of instances have no order: sorted here."""
    if isinstance(value, dict):
        return {k: unordered(v) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    items = [unordered(v) for v in value]
    if all(isinstance(i, str) for i in items) or all(
            isinstance(i, dict) and "ip" in i for i in items):
        items.sort(key=sort_key)
    return items


# -- what is expected ------------------------------------------------------------

def below_context(path):
    return path[len(CONTEXT):] or "/" if path.startswith(CONTEXT) else path


def parse(text):
    """The JSON object or list in `text`, else None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


class Scope:
    def __init__(self, path):
        self.rules = json.loads(path.read_text())["paths"]

    def covers(self, line):
        path = below_context(line["path"])
        for rule in self.rules:
            if path == rule["path"]:
                return (line["method"] not in rule.get("unless_method", [])
                        and not any(
                            name in line["query"]
                            and (values is None or line["query"][name] in values)
                            for name, values in rule.get("unless_query", {}).items()))
        return False


class Expected:
    """The recorded answer, changed by what was decided otherwise."""

    def __init__(self, line):
        self.status = line["status"]
        self.headers = {k: v for k, v in line["answer_headers"].items()}
        self.text = line.get("body") or ""
        self.json = parse(self.text)
        self.volatile = list(line["volatile"])
        self.on_purpose = False

    def apply(self, change):
        self.on_purpose = True
        self.status = change.get("status", self.status)
        for name, value in change.get("headers", {}).items():
            if value is None:
                self.headers.pop(name, None)
            else:
                self.headers[name] = value
        self.volatile += change.get("volatile", [])
        if "body" in change:
            self.text, self.json = change["body"], None
        if "json" in change:
            self.json = copy.deepcopy(change["json"])
        for pointer, value in change.get("set", {}).items():
            self._set(pointer, value)
        for pointer in change.get("remove", []):
            for node, key in places(self.json, pointer):
                node.pop(key, None)

    def _set(self, pointer, value):
        for node, key in places(self.json, pointer):
            value = copy.deepcopy(value)
            if isinstance(value, dict) and "copy" in value:
                node[key] = node[value["copy"]]
            elif isinstance(value, dict) and "format" in value:
                node[key] = value["format"].format(**node)
            else:
                node[key] = value


class Differences:
    def __init__(self, path):
        data = json.loads(path.read_text())
        self.rules = data["rules"]
        self.steps = {(d["id"], d["step"]): d for d in data["differences"]}
        self.used = set()
        for change in [*self.rules, *self.steps.values()]:
            if not change.get("reason"):
                raise ValueError(f"a difference without a reason: {change}")

    def expected(self, line):
        wanted = Expected(line)
        for index, rule in enumerate(self.rules):
            if self._matches(rule, line, wanted):
                self.used.add(index)
                wanted.apply(rule)
        step = (line["id"], line["step"])
        if step in self.steps:
            self.used.add(step)
            wanted.apply(self.steps[step])
        return wanted

    @staticmethod
    def _matches(rule, line, wanted):
        kind = "json" if wanted.json is not None or wanted.text in (
            "true", "false") else "text"
        return (any(fnmatch.fnmatch(below_context(line["path"]), p)
                    for p in rule["paths"])
                and line["method"] in rule.get("methods", [line["method"]])
                and wanted.status in rule.get("statuses", [wanted.status])
                and kind == rule.get("recorded_body", kind)
                and (not rule.get("only_empty") or wanted.text == "")
                and all(wanted.headers.get(k) == v for k, v in
                        rule.get("recorded_headers", {}).items()))

    def unused(self, ids):
        return [s for s in self.steps if s[0] in ids and s not in self.used]


# -- comparing -------------------------------------------------------------------

def masked(document, pointers):
    document = copy.deepcopy(document)
    for pointer in pointers:
        for node, key in places(document, pointer):
            if isinstance(node, list) or key in node:
                node[key] = MASK
    return unordered(document)


def header_value(name, value):
    if name == "allow":
        return sorted(w.strip() for w in value.split(","))
    return value


def compare(line, wanted, got):
    """Sentences about what differs; empty = equal."""
    volatile = wanted.volatile
    pointers = [v for v in volatile if v.startswith("/")]
    faults = []
    if "status" not in volatile and wanted.status != got.status:
        faults.append(f"status {got.status}, expected {wanted.status}")
    for name in sorted(TRACKED & (set(wanted.headers) | set(got.headers))):
        there = (name in wanted.headers, name in got.headers)
        if there != (True, True):
            faults.append(f"header {name}: {got.headers.get(name)!r}, "
                          f"expected {wanted.headers.get(name)!r}")
        elif f"header:{name}" not in volatile and header_value(
                name, wanted.headers[name]) != header_value(name, got.headers[name]):
            faults.append(f"header {name}: {got.headers[name]!r}, "
                          f"expected {wanted.headers[name]!r}")
    if "body" in volatile or line.get("body_omitted"):
        return faults
    if wanted.json is None:
        if got.body != wanted.text:
            faults.append(f"body {got.body[:1500]!r}\n      expected {wanted.text[:1500]!r}")
        return faults
    document = parse(got.body)
    mine = masked(document, pointers) if document is not None else got.body
    theirs = masked(wanted.json, pointers)
    if mine != theirs:
        faults.append(f"body {json.dumps(mine, ensure_ascii=False)[:3000]}\n"
                      f"      expected {json.dumps(theirs, ensure_ascii=False)[:3000]}")
    return faults


def refused(line, got):
    """An exchange out of scope: unknown to this server, in the right form."""
    naming = below_context(line["path"]).startswith("/v1/ns/")
    body = parse(got.body) or {}
    if got.status not in ((501,) if naming else (404, 405)) or (
            body.get("status") != got.status):
        return [f"out of scope, but {got.status} {got.body[:200]!r}"]
    return []


# -- running ---------------------------------------------------------------------

class Held(threading.Thread):
    def __init__(self, port, line, kept):
        super().__init__(daemon=True)
        self.job, self.line, self.answer, self.fault = (port, line, kept), line, None, None
        self.start()

    def run(self):
        try:
            self.answer = send(*self.job)
        except OSError as problem:
            self.fault = str(problem)


class Replay:
    def __init__(self, port, scope, differences, verbose):
        self.port, self.scope, self.differences = port, scope, differences
        self.verbose = verbose
        self.equal = self.purpose = self.failed = self.refused = self.unsent = 0

    def judge(self, line, got, faults):
        """Counts one exchange in scope or refused and prints what differs."""
        if not faults:
            return
        self.failed += 1
        print(f"FAIL: {line['id']}/{line['step']} {line['method']} {line['path']}")
        if self.verbose:
            print(f"      query {line['query']} form {str(line['form'])[:300]} "
                  f"headers {line['headers']}")
            for fault in faults:
                print(f"      {fault}")

    def check(self, line, got, kept):
        wanted = self.differences.expected(line)
        faults = compare(line, wanted, got)
        if not faults:
            self.purpose += wanted.on_purpose
            self.equal += not wanted.on_purpose
        document = parse(got.body)
        for name, pointer in line.get("capture", {}).items():
            for node, key in places(document, pointer) if document else []:
                if isinstance(node, list) or key in node:
                    kept[name] = node[key]
        self.judge(line, got, faults)

    def finish(self, held, kept):
        held.join(TIMEOUT_S)
        if held.answer is None:
            self.judge(held.line, None, [f"no answer: {held.fault}"])
        else:
            self.check(held.line, held.answer, kept)

    def step(self, line, kept, waiting):
        if not self.scope.covers(line):
            # Pages of the console are of no version.
            if "multipart" in line or not below_context(line["path"]).startswith("/v"):
                self.unsent += 1
                return
            got = send(self.port, line, kept)
            faults = refused(line, got)
            self.refused += not faults
            self.judge(line, got, faults)
        elif line.get("held"):
            waiting.append(Held(self.port, line, kept))
            time.sleep(HELD_PAUSE_S)
        else:
            self.check(line, send(self.port, line, kept), kept)
        for held in [h for h in waiting
                     if h.line["answered_after_step"] == line["step"]]:
            waiting.remove(held)
            self.finish(held, kept)
        if line.get("settle_ms", 0) >= SETTLE_MIN_MS:
            time.sleep(line["settle_ms"] / 1000)

    def sequence(self, name, lines):
        before = (self.equal, self.purpose, self.failed, self.refused, self.unsent)
        kept, waiting = {}, []
        for line in sorted(lines, key=lambda l: l["step"]):
            try:
                self.step(line, kept, waiting)
            except OSError as problem:
                self.judge(line, None, [f"no answer: {problem}"])
        for held in waiting:
            self.finish(held, kept)
        now = (self.equal, self.purpose, self.failed, self.refused, self.unsent)
        equal, purpose, failed, out, unsent = (b - a for a, b in zip(before, now))
        print(f"{name:24} {equal:4} equal {purpose:4} on purpose {failed:4} failed "
              f"{out:4} refused {unsent:4} not sent", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--only", action="append", help="only this sequence")
    parser.add_argument("--verbose", action="store_true", help="say what differs")
    options = parser.parse_args()
    sequences = {}
    for text in (HERE / "nacos-http.jsonl").read_text().splitlines():
        line = json.loads(text)
        if not options.only or line["id"] in options.only:
            sequences.setdefault(line["id"], []).append(line)
    differences = Differences(HERE / "http_differences.json")
    replay = Replay(options.port, Scope(HERE / "http_scope.json"), differences,
                    options.verbose)
    for name, lines in sequences.items():
        replay.sequence(name, lines)
    for step in differences.unused(sequences):
        replay.failed += 1
        print(f"FAIL: difference {step} was never looked at")
    print(f"{replay.equal} equal, {replay.purpose} different on purpose, "
          f"{replay.refused} out of scope and refused, {replay.unsent} not sent")
    print(f"{replay.equal + replay.purpose + replay.refused} passed, "
          f"{replay.failed} failed, 0 skipped")
    return 1 if replay.failed else 0


if __name__ == "__main__":
    sys.exit(main())
