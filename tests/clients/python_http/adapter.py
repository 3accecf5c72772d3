"""Adapter of nacos-sdk-python's HTTP line: executes the commands of ../README.md."""

import json
import os
import sys
import threading
import traceback

import nacos
from nacos.listener import Event, SubscribeListener

SERVER, WORKDIR = sys.argv[1:3]
OUTPUT = sys.stdout
sys.stdout = sys.stderr  # whatever the SDK prints must not mix with answers
OUTPUT_LOCK = threading.Lock()
BEAT_INTERVAL_S = 5
POLL_INTERVAL_S = 1


def say(**message):
    with OUTPUT_LOCK:
        OUTPUT.write(json.dumps(message) + "\n")
        OUTPUT.flush()


def as_json(hosts):
    return [{"ip": h["ip"], "port": h["port"], "weight": h["weight"], "healthy": h["healthy"],
             "enabled": h["enabled"], "ephemeral": h["ephemeral"], "cluster": h["clusterName"],
             "metadata": h["metadata"]} for h in hosts]


class QuietClient(nacos.NacosClient):
    """The SDK stops the beats of an instance only after it has deregistered it: a
    beat between the two registers it again, with the real server as with ours."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.of_instances = threading.Lock()

    def send_heartbeat(self, service_name, ip, port, *others):
        with self.of_instances:
            task = self.heartbeats.get(f"{service_name}#{ip}#{port}")
            if task is None or not task.stopped:
                super().send_heartbeat(service_name, ip, port, *others)

    def remove_naming_instance(self, *args):
        with self.of_instances:
            return super().remove_naming_instance(*args)


class Subscription:
    """The SDK reports single instances; the others report lists. It says nothing
    of the first one it sees, so the list at the start comes from a query."""

    def __init__(self, client, command):
        self.tag, self.hosts = command["tag"], {}
        service, group = command["service"], command["group"]
        for host in client.list_naming_instance(service, group_name=group)["hosts"]:
            self.hosts[host["instanceId"]] = host
        say(event="service", tag=self.tag, instances=as_json(self.hosts.values()))
        client.subscribe(SubscribeListener(self.changed, self.tag), POLL_INTERVAL_S,
                         service_name=service, group_name=group)

    def changed(self, event, found):
        if event == Event.DELETED:
            self.hosts.pop(found.instance_id, None)
        else:
            self.hosts[found.instance_id] = found.instance
        say(event="service", tag=self.tag, instances=as_json(self.hosts.values()))


class Adapter:
    def __init__(self):
        self.clients = {}

    def client(self, name):
        if name not in self.clients:
            folder = f"{WORKDIR}/{name}"
            os.makedirs(folder + "/log", exist_ok=True)
            made = QuietClient(SERVER, logDir=folder + "/log")
            made.set_options(snapshot_base=folder + "/snapshot",
                             failover_base=folder + "/failover")
            self.clients[name] = made
        return self.clients[name]

    def publish(self, c):
        return self.client(c["client"]).publish_config(c["dataId"], c["group"], c["content"])

    def get(self, c):
        return self.client(c["client"]).get_config(c["dataId"], c["group"])

    def remove(self, c):
        return self.client(c["client"]).remove_config(c["dataId"], c["group"])

    def listen(self, c):
        def changed(params):
            say(event="config", tag=c["tag"], content=params["content"])
        # A key that is added while a poll is held waits for the end of that poll
        # (30 s), so every listener has a client of its own.
        self.client(f"{c['client']}-{c['tag']}").add_config_watcher(
            c["dataId"], c["group"], changed)
        return True

    def register(self, c):
        i = c["instance"]
        beat = BEAT_INTERVAL_S if i["ephemeral"] and i["healthy"] else None
        return self.client(c["client"]).add_naming_instance(
            c["service"], i["ip"], i["port"], i["cluster"], i["weight"], i["metadata"],
            i["enabled"], i["healthy"], i["ephemeral"], c["group"], heartbeat_interval=beat)

    def update(self, c):
        i = c["instance"]
        return self.client(c["client"]).modify_naming_instance(
            c["service"], i["ip"], i["port"], i["cluster"], i["weight"], i["metadata"],
            i["enabled"], i["ephemeral"], c["group"])

    def deregister(self, c):
        i = c["instance"]
        return self.client(c["client"]).remove_naming_instance(
            c["service"], i["ip"], i["port"], i["cluster"], i["ephemeral"], c["group"])

    def list(self, c):
        hosts = as_json(self.client(c["client"]).list_naming_instance(
            c["service"], group_name=c["group"], healthy_only=c["healthy"] is True)["hosts"])
        # The SDK has no query for the sick ones: they are those of the full list.
        return [h for h in hosts if not h["healthy"]] if c["healthy"] is False else hosts

    def subscribe(self, c):
        Subscription(self.client(c["client"]), c)
        return True


def main():
    adapter = Adapter()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            say(id=command["id"], value=getattr(adapter, command["op"])(command))
        except Exception as problem:  # every failure is an answer
            traceback.print_exc()
            say(id=command["id"], error=f"{type(problem).__name__}: {problem}")
    for client in adapter.clients.values():
        client.stop_subscribe()
        if client.process_mgr:
            client.process_mgr.shutdown()
    os._exit(0)  # the SDK's own threads and timers do not end by themselves


if __name__ == "__main__":
    main()
