"""What every SDK must show. One list of scenarios, the same for all SDKs.

A scenario is a function of a `Context` that raises on failure. Names of configs and
services hold the SDK's name, so that SDKs can run side by side on one server.
"""

import hashlib

from support.server import wait_until

from .context import (GROUP, LIST_DEADLINE_S, PUSH_DEADLINE_S, expect, expect_equal,
                      instance, refused)

MEBIBYTE = 1 << 20
# nacos-sdk-python's HTTP line sends the content in the request line.
LONGEST_QUERY_CONTENT = 32 << 10

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
    wait_until(lambda: not c.http.hosts(service), LIST_DEADLINE_S,
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
    joined = c.await_told(service, [stays, comes], PUSH_DEADLINE_S)
    c.deregister(service, comes, client="other")
    left = c.await_told(service, [stays], PUSH_DEADLINE_S)
    return f"join {joined:.2f} s, leave {left:.2f} s"


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
    reader.await_told(service, [stays, comes], PUSH_DEADLINE_S)
    reader.listen(key, client="listener")
    for content in ("première 首次", "second"):
        expect_equal(writer.publish(key, content), True, "publish")
        reader.await_heard(key, content)
        wait_until(lambda: reader.get(key) == content, LIST_DEADLINE_S,
                   lambda: f"the other gets {content!r}, but {reader.get(key)!r}")
    expect_equal(writer.remove(key), True, "remove")
    # The Go SDK asks five times a second for one key at most; beyond that it answers
    # from its snapshot.
    wait_until(lambda: reader.get(key) is None, LIST_DEADLINE_S,
               lambda: f"the other gets nothing, but {reader.get(key)!r}")


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
}
CROSS = "cross-language"
