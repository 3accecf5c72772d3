"""What scenarios are written with: one SDK and the server, seen from outside."""

import json
import urllib.error
import urllib.parse
import urllib.request

from support.server import wait_until

from .adapter import SdkError

GROUP = "DEFAULT_GROUP"
CONFIG_DEADLINE_S = 15
LIST_DEADLINE_S = 10
PUSH_DEADLINE_S = 2


class Http:
    """The server as a script sees it: proof that does not come from the SDK."""

    def __init__(self, server):
        self._server = server

    def _request(self, method, path, **parameters):
        body = urllib.parse.urlencode(parameters).encode() if parameters else None
        request = urllib.request.Request(self._server.url(path), body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def content(self, data_id):
        query = urllib.parse.urlencode({"dataId": data_id, "group": GROUP})
        try:
            return self._request("GET", f"/v1/cs/configs?{query}").decode()
        except urllib.error.HTTPError as refusal:
            if refusal.code == 404:
                return None
            raise

    def publish(self, data_id, content):
        assert self._request("POST", "/v1/cs/configs", dataId=data_id, group=GROUP,
                             content=content) == b"true"

    def hosts(self, service):
        query = urllib.parse.urlencode({"serviceName": service, "groupName": GROUP})
        return json.loads(self._request("GET", f"/v1/ns/instance/list?{query}"))["hosts"]

    def register_sick(self, service, ip, port):
        """An ephemeral instance that is not healthy; no beat ever makes it so."""
        assert self._request("POST", "/v1/ns/instance", serviceName=service,
                             groupName=GROUP, ip=ip, port=port, healthy="false") == b"ok"


class Context:
    def __init__(self, sdk, adapter, server, scenario):
        self.sdk, self.adapter, self.server = sdk, adapter, server
        self.scenario = scenario
        self.http = Http(server)

    def name(self, what="x"):
        return f"{self.sdk}.{self.scenario}.{what}"

    # -- config ---------------------------------------------------------------

    def publish(self, data_id, content, **more):
        return self.adapter.call("publish", dataId=data_id, group=GROUP, content=content,
                                 **more)

    def get(self, data_id, client="main"):
        return self.adapter.call("get", client, dataId=data_id, group=GROUP)

    def remove(self, data_id):
        return self.adapter.call("remove", dataId=data_id, group=GROUP)

    def listen(self, data_id, client="main"):
        self.adapter.call("listen", client, dataId=data_id, group=GROUP, tag=data_id)

    def heard(self, data_id):
        """Contents the listener was told; no content (absent at the start) left out."""
        return [each for each in self.adapter.events(data_id) if each]

    def await_heard(self, data_id, content, deadline_s=CONFIG_DEADLINE_S):
        self.adapter.await_event(data_id, lambda last: last == content, deadline_s,
                                 f"{data_id} = {content[:40]!r} ({len(content)} characters)")

    # -- naming ---------------------------------------------------------------

    def register(self, service, instance, client="main", op="register"):
        done = self.adapter.call(op, client, service=service, group=GROUP, instance=instance)
        expect_equal(done, True, op)
        return done

    def deregister(self, service, instance, client="main"):
        self.register(service, instance, client, "deregister")

    def hosts(self, service, healthy=None):
        try:
            return self.adapter.call("list", service=service, group=GROUP, healthy=healthy)
        except SdkError:  # Go's SelectInstances calls an empty list an error
            return []

    def await_hosts(self, service, instances, healthy=None):
        wanted = sorted(map(essence, instances))
        last = []

        def there():
            last[:] = sorted(map(essence, self.hosts(service, healthy)))
            return last == wanted

        wait_until(there, LIST_DEADLINE_S,
                   lambda: f"list of {service} (healthy={healthy}) is {wanted}; last: {last}")

    def subscribe(self, service, client):
        self.adapter.call("subscribe", client, service=service, group=GROUP, tag=service)

    def await_told(self, service, instances, deadline_s):
        wanted = sorted(map(essence, instances))
        return self.adapter.await_event(
            service, lambda last: sorted(map(essence, last)) == wanted, deadline_s,
            f"{service} = {wanted}")


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what}: got {str(got)[:300]!r}, wanted {str(wanted)[:300]!r}")


def instance(ip, port=8080, **changes):
    return {"ip": ip, "port": port, "weight": 1.0, "healthy": True, "enabled": True,
            "ephemeral": True, "cluster": "DEFAULT", "metadata": {}, **changes}


def essence(host):
    """What must arrive at the other end of the wire, comparable."""
    metadata = json.dumps(host["metadata"] or {}, sort_keys=True)
    return (host["ip"], host["port"], float(host["weight"]), host["healthy"],
            host["enabled"], host["ephemeral"], host["cluster"], metadata)


def refused(call):
    """True if the SDK says false or fails; an SDK may check before it sends."""
    try:
        return call() is not True
    except SdkError:
        return True
