"""One kill -9 for all SDKs: what must have survived, and who must recover by itself."""

from support.server import wait_until

from .adapter import SdkError
from .context import LIST_DEADLINE_S, Context, expect_equal, instance, refused

# The gRPC line of nacos-sdk-python repeats lost registrations each 30 s only.
RECOVERY_DEADLINE_S = 60


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
        wait_until(lambda: c.http.hosts(self.durable), LIST_DEADLINE_S,
                   "the persistent instance is listed")

    def _until_accepted(self, call, what):
        wait_until(lambda: not refused(call), RECOVERY_DEADLINE_S,
                   f"{what} is accepted after the restart")

    def config_survives(self):
        expect_equal(self.c.http.content(self.key), "written before the kill",
                     "content over HTTP")
        wait_until(lambda: self._got() == "written before the kill", RECOVERY_DEADLINE_S,
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
        wait_until(there, RECOVERY_DEADLINE_S,
                   lambda: f"{self.mine} is back, but {self.c.http.hosts(self.service)}")

    def subscription_recovers(self):
        self._until_accepted(
            lambda: self.c.register(self.service, self.joins, client="other"), "register")
        self.c.await_told(self.service, [self.mine, self.joins], RECOVERY_DEADLINE_S)


AFTER_RESTART = {
    "config-survives-kill9": Restart.config_survives,
    "persistent-survives-kill9": Restart.persistent_survives,
    "listener-recovers": Restart.listener_recovers,
    "ephemeral-returns": Restart.ephemeral_returns,
    "subscription-recovers": Restart.subscription_recovers,
}
NOT_FOR = {
    # The poll timer of nacos-sdk-python's HTTP line ends at the first failed poll.
    "subscription-recovers": {"python-http"},
}
