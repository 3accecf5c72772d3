#!/usr/bin/env python3
"""Clusters whose members an address server names, and nodes that cannot ask one."""

import contextlib
import http.server
import json
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.server import PortFamily, Server, wait_until  # noqa: E402

NODES = 3
READY_S = 60
LIST_PATH = "/nacos/serverlist"


class AddressServer:
    """Answers 503 to the first requests, then with the list."""

    def __init__(self, body, refusals=0):
        outer = self
        self.asked = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                good = self.path == LIST_PATH and outer.asked > refusals
                text = body.encode() if good else b"not now"
                self.send_response(200 if good else 503)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # it reads no more than it wants
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def fetch(node, path, form=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(node.url(path), data, timeout=10) as answer:
        return answer.read().decode()


def members_of(node):
    told = json.loads(fetch(node, "/v3/admin/core/cluster/node/list"))["data"]
    return {each["address"] for each in told}


def cluster_by_lookup():
    """Three nodes that know nothing but the address server become one cluster."""
    families = [PortFamily() for _ in range(NODES)]
    addresses = {f"127.0.0.1:{family.port}" for family in families}
    nodes = []
    try:
        with AddressServer("\n".join(sorted(addresses)) + "\n", refusals=2) as lists:
            settings = {"core.member.lookup.type": "address-server",
                        "address.server.domain": "127.0.0.1"}
            for number, family in enumerate(families):
                nodes.append(Server(
                    port=family.port, ready_s=READY_S, name=f"lookup-n{number + 1}",
                    settings=settings, env={"address_server_port": str(lists.port)}))
                nodes[-1].start(wait=False)
            for node in nodes:
                node.wait_ready()
            assert lists.asked >= NODES + 2, f"asked {lists.asked} times"
        for node in nodes:
            assert members_of(node) == addresses, members_of(node)
        where = "/v1/cs/configs"
        key = {"dataId": "found", "group": "lookup"}
        assert fetch(nodes[0], where, {**key, "content": "x"}) == "true"
        query = f"{where}?{urllib.parse.urlencode(key)}"

        def shown():
            try:
                return all(fetch(node, query) == "x" for node in nodes)
            except OSError:
                return False
        wait_until(shown, 20, "all nodes show the config")
    finally:
        for node in nodes:
            node.close()
        for family in families:
            family.release()


def refusal(what, body, arguments, refusals=0, tries=2):
    """The start ends by itself; its last words name the settings and the address."""
    with AddressServer(body, refusals) as lists:
        node = Server(name="lookup-refused", settings={
            "core.member.lookup.type": "address-server",
            "address.server.domain": "127.0.0.1", "address.server.port": str(lists.port),
            "core.address-server.retry": str(tries), **arguments})
        try:
            before = len(node.log_text())
            node.start(wait=False)
            code = node.process.wait(30)
            said = node.log_text()[before:]
            assert code == 1, f"{what}: ended with {code}\n{said}"
            for word in ("address.server.domain", "core.member.lookup.type",
                         "http://127.0.0.1:"):
                assert word in said, f"{what}: does not say {word}\n{said}"
            return lists.asked, said
        finally:
            node.close()


def starts_without_list():
    asked, said = refusal("503", "127.0.0.1:1\n", {}, refusals=99, tries=2)
    assert asked == 2 and "503" in said, (asked, said)
    asked, said = refusal("another path", "", {"address.server.url": "/other"}, tries=1)
    assert asked == 1 and "/other" in said, (asked, said)
    asked, said = refusal("nobody", "# none\n", {}, tries=1)
    assert asked == 1 and "names nobody" in said, (asked, said)
    asked, said = refusal("nonsense", "a/b\n", {}, tries=1)
    assert asked == 1 and "'a/b'" in said, (asked, said)
    asked, said = refusal("too long", "127.0.0.1:1\n" * 100_000, {}, tries=1)
    assert asked == 1, (asked, said)
    closed = PortFamily()
    asked, said = refusal("nobody listens", "", {"address.server.port": str(closed.port)},
                          tries=1)
    closed.release()
    assert asked == 0 and str(closed.port) in said, (asked, said)


def main():
    failed = 0
    tests = (cluster_by_lookup, starts_without_list)
    for test in tests:
        try:
            test()
            print(f"ok: {test.__name__}", flush=True)
        except AssertionError as problem:
            failed += 1
            print(f"FAIL: {test.__name__}: {problem}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
