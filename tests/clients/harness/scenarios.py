"""What every SDK must show. One list of scenarios, the same for all SDKs.

A scenario is a function of a `Context` that raises on failure. Names of configs and
services hold the SDK's name, so that SDKs can run side by side on one server.
"""

import hashlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from .adapter import SdkError

GROUP = "DEFAULT_GROUP"
MEBIBYTE = 1 << 20
# nacos-sdk-python's HTTP line sends the content in the request line.
LONGEST_QUERY_CONTENT = 32 << 10
CONFIG_DEADLINE_S = 15
LIST_DEADLINE_S = 10
PUSH_DEADLINE_S = 2
# npm's nacos hears of changes over UDP or else asks every cacheMillis (10 s).
POLL_DEADLINE_S = 12
# The gRPC line of nacos-sdk-python repeats lost registrations each 30 s only.
RECOVERY_DEADLINE_S = 60

WITH_CAS = {"java3", "java2", "go", "python-grpc"}
WITH_BATCH = {"java3", "java2", "go", "python-grpc"}
TEXTS = {
    "cjk": "名称=集合点\n说明=配置中心与注册中心\n日本語=テスト 한국어",
    "emoji": "👩‍🚀🚀 mixed ascii 𝔘𝔫𝔦",
    "crlf": "first\r\nsecond\r\n\r\nlast\r\n",
    "bom": "\ufeff<?xml version='1.0'?>",
    "signs": "a=b&c=%20+%2B;\t\"quoted\" \\ <tag> \x7f trailing \n ",
}


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


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
        self.push_deadline_s = POLL_DEADLINE_S if sdk == "node" else PUSH_DEADLINE_S

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

        await_that(there, LIST_DEADLINE_S,
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


def await_that(condition, deadline_s, text):
    end = time.monotonic() + deadline_s
    while not condition():
        expect(time.monotonic() < end, f"not within {deadline_s} s: {text()}")
        time.sleep(0.05)


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


# -- config --------------------------------------------------------------------


def publish_get_remove(c):
    key = c.name()
    expect_equal(c.get(key), None, "get before publish")
    expect_equal(c.publish(key, "one: 1"), True, "publish")
    expect_equal(c.get(key), "one: 1", "get")
    expect_equal(c.publish(key, "two: 2"), True, "publish again")
    expect_equal(c.get(key), "two: 2", "get of the second")
    expect_equal(c.http.content(key), "two: 2", "content over HTTP")
    expect_equal(c.remove(key), True, "remove")
    expect_equal(c.get(key), None, "get after remove")
    expect_equal(c.http.content(key), None, "content over HTTP after remove")


def listen_20_changes(c):
    key = c.name()
    c.listen(key, client="listener")
    contents = [f"change {number}" for number in range(1, 21)]
    for content in contents:
        expect_equal(c.publish(key, content), True, "publish")
        c.await_heard(key, content)
    expect_equal(c.heard(key), contents, "what the listener was told, in order")


def cas(c):
    key = c.name()
    expect_equal(c.publish(key, "v1"), True, "publish")
    expect_equal(c.publish(key, "v2", casMd5=md5("v1")), True, "CAS with the right md5")
    expect(refused(lambda: c.publish(key, "v3", casMd5=md5("v1"))),
           "CAS with an old md5 was accepted")
    expect_equal(c.get(key), "v2", "get after the conflict")
    expect_equal(c.publish(key, "v4", casMd5=md5("v2")), True, "CAS after a new read")


def big_value(c):
    key = c.name()
    line = "0123456789abcdef" * 4 + "\n"
    content = (line * (MEBIBYTE // len(line) + 1))[:MEBIBYTE]
    c.listen(key, client="listener")
    if c.sdk == "python-http":
        longest = content[:LONGEST_QUERY_CONTENT]
        expect_equal(c.publish(key, longest), True, "publish in the request line")
        expect_equal(c.get(key), longest, "get")
        c.http.publish(key, content)
    else:
        expect_equal(c.publish(key, content), True, "publish")
    expect(c.get(key) == content, "get differs")
    c.await_heard(key, content)


def utf8(c):
    for what, text in TEXTS.items():
        key = c.name(what)
        c.listen(key, client="listener")
        expect_equal(c.publish(key, text), True, f"publish {what}")
        expect_equal(c.get(key), text, f"get {what}")
        expect_equal(c.http.content(key), text, f"{what} over HTTP")
    for what, text in TEXTS.items():
        c.await_heard(c.name(what), text)


def one_space(c):
    """Blank content is refused; what was there stays."""
    key = c.name()
    expect(refused(lambda: c.publish(key, " ")), "one space was accepted")
    expect_equal(c.http.content(key), None, "content after a refused publish")
    expect_equal(c.publish(key, "kept"), True, "publish")
    expect(refused(lambda: c.publish(key, " ")), "one space was accepted over a value")
    expect_equal(c.get(key), "kept", "get after a refused publish")


# -- naming --------------------------------------------------------------------


def register_deregister(c):
    service = c.name()
    first = instance("10.1.0.1", 8081, weight=2.5, metadata={"zone": "a", "名": "值"})
    second = instance("10.1.0.2", 8082)
    c.register(service, first)
    c.await_hosts(service, [first])
    c.register(service, second, client="other")
    c.await_hosts(service, [first, second])
    c.deregister(service, second, client="other")
    c.await_hosts(service, [first])
    c.deregister(service, first)
    await_that(lambda: not c.http.hosts(service), LIST_DEADLINE_S,
               lambda: f"no hosts over HTTP, but {c.http.hosts(service)}")


def batch(c):
    service = c.name()
    three = [instance(f"10.2.0.{n}", metadata={"n": str(n)}) for n in (1, 2, 3)]

    def publish(instances):
        done = c.adapter.call("batch", service=service, group=GROUP, instances=instances)
        expect_equal(done, True, "batch")
        c.await_hosts(service, instances)

    publish(three)
    publish(three[:2])


def update(c):
    service = c.name()
    before = instance("10.3.0.1", weight=1.0, metadata={"color": "red"})
    after = {**before, "weight": 5.0, "metadata": {"color": "blue", "size": "xl"}}
    c.register(service, before)
    c.await_hosts(service, [before])
    c.register(service, after, op="update")
    c.await_hosts(service, [after])


def health_lists(c):
    service = c.name()
    well, sick = instance("10.4.0.1"), instance("10.4.0.2", healthy=False)
    if c.sdk in WITH_BATCH:
        c.adapter.call("batch", service=service, group=GROUP, instances=[well, sick])
    else:
        c.register(service, well)
        c.http.register_sick(service, sick["ip"], sick["port"])
    c.await_hosts(service, [well, sick])
    c.await_hosts(service, [well], healthy=True)
    c.await_hosts(service, [sick], healthy=False)


def subscribe(c):
    """Joins and leaves. One instance stays: several SDKs ignore empty lists."""
    service = c.name()
    stays, comes = instance("10.5.0.1"), instance("10.5.0.2")
    c.register(service, stays)
    c.subscribe(service, client="subscriber")
    c.await_told(service, [stays], LIST_DEADLINE_S)
    c.register(service, comes, client="other")
    joined = c.await_told(service, [stays, comes], c.push_deadline_s)
    c.deregister(service, comes, client="other")
    left = c.await_told(service, [stays], c.push_deadline_s)
    return f"join {joined:.2f} s, leave {left:.2f} s"


# -- kill -9 and restart -------------------------------------------------------


class Restart:
    """`prepare` before the kill; then each check is a scenario of its own."""

    def __init__(self, sdk, adapter, server):
        self.c = Context(sdk, adapter, server, "restart")
        self.key, self.heard_key = self.c.name("config"), self.c.name("heard")
        self.service, self.durable = self.c.name("service"), self.c.name("persistent")
        self.mine = instance("10.6.0.1", metadata={"owner": sdk})
        self.joins = instance("10.6.0.2")
        self.lasting = instance("127.0.0.1", server.port, ephemeral=False)

    def prepare(self):
        c = self.c
        expect_equal(c.publish(self.key, "written before the kill"), True, "publish")
        c.listen(self.heard_key, client="listener")
        expect_equal(c.publish(self.heard_key, "before"), True, "publish")
        c.await_heard(self.heard_key, "before")
        c.register(self.service, self.mine)
        c.subscribe(self.service, client="subscriber")
        c.await_told(self.service, [self.mine], LIST_DEADLINE_S)
        c.register(self.durable, self.lasting)
        await_that(lambda: c.http.hosts(self.durable), LIST_DEADLINE_S,
                   lambda: "the persistent instance is listed")

    def _until_accepted(self, call, what):
        await_that(lambda: not refused(call), RECOVERY_DEADLINE_S,
                   lambda: f"{what} is accepted after the restart")

    def config_survives(self):
        expect_equal(self.c.http.content(self.key), "written before the kill",
                     "content over HTTP")
        await_that(lambda: self._got() == "written before the kill", RECOVERY_DEADLINE_S,
                   lambda: f"get answers the old content, but {self._got()!r}")

    def _got(self):
        try:
            return self.c.get(self.key, client="listener")
        except SdkError:
            return None

    def persistent_survives(self):
        hosts = self.c.http.hosts(self.durable)
        expect_equal([(h["ip"], h["port"], h["ephemeral"]) for h in hosts],
                     [(self.lasting["ip"], self.lasting["port"], False)],
                     "persistent instances")

    def listener_recovers(self):
        self._until_accepted(lambda: self.c.publish(self.heard_key, "after"), "publish")
        self.c.await_heard(self.heard_key, "after", RECOVERY_DEADLINE_S)
        expect_equal(self.c.heard(self.heard_key), ["before", "after"], "what was heard")

    def ephemeral_returns(self):
        def there():
            return [(h["ip"], h["metadata"].get("owner")) for h in
                    self.c.http.hosts(self.service) if h["ip"] == self.mine["ip"]] == [
                        (self.mine["ip"], self.c.sdk)]
        await_that(there, RECOVERY_DEADLINE_S,
                   lambda: f"{self.mine} is back, but {self.c.http.hosts(self.service)}")

    def subscription_recovers(self):
        self._until_accepted(
            lambda: self.c.register(self.service, self.joins, client="other"), "register")
        self.c.await_told(self.service, [self.mine, self.joins], RECOVERY_DEADLINE_S)



# -- two languages -------------------------------------------------------------


def cross_language(writer, reader):
    """`reader` listens and subscribes to what `writer` does."""
    key = service = writer.name(f"read-by-{reader.sdk}")
    stays, comes = instance("10.7.0.1", metadata={"by": writer.sdk}), instance("10.7.0.2")
    writer.register(service, stays)
    reader.await_hosts(service, [stays])
    reader.subscribe(service, client="subscriber")
    reader.await_told(service, [stays], LIST_DEADLINE_S)
    writer.register(service, comes, client="other")
    reader.await_told(service, [stays, comes], reader.push_deadline_s)
    reader.listen(key, client="listener")
    for content in ("première 首次", "second"):
        expect_equal(writer.publish(key, content), True, "publish")
        reader.await_heard(key, content)
        expect_equal(reader.get(key), content, "get by the other")
    expect_equal(writer.remove(key), True, "remove")
    expect_equal(reader.get(key), None, "get by the other after remove")


ALONE = {
    "publish-get-remove": publish_get_remove,
    "listen-20-changes": listen_20_changes,
    "cas": cas,
    "big-value": big_value,
    "utf8": utf8,
    "one-space": one_space,
    "register-deregister": register_deregister,
    "batch": batch,
    "update": update,
    "health-lists": health_lists,
    "subscribe": subscribe,
}
ONLY_FOR = {
    "cas": WITH_CAS,
    "batch": WITH_BATCH,
    # The poll timer of nacos-sdk-python's HTTP line ends at the first failed poll.
    "subscription-recovers": {"java3", "java2", "go", "python-grpc", "node"},
}
AFTER_RESTART = {
    "config-survives-kill9": Restart.config_survives,
    "persistent-survives-kill9": Restart.persistent_survives,
    "listener-recovers": Restart.listener_recovers,
    "ephemeral-returns": Restart.ephemeral_returns,
    "subscription-recovers": Restart.subscription_recovers,
}
CROSS = "cross-language"
