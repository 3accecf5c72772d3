"""Adapter of nacos-sdk-python's gRPC line: executes the commands of ../README.md."""

import asyncio
import json
import sys
import traceback

from v2.nacos import (BatchRegisterInstanceParam, ClientConfigBuilder, ConfigParam,
                      ListInstanceParam, NacosConfigService, NacosNamingService,
                      RegisterInstanceParam, SubscribeServiceParam)
from v2.nacos.naming.model.naming_param import DeregisterInstanceParam

SERVER, WORKDIR = sys.argv[1:3]
OUTPUT = sys.stdout
sys.stdout = sys.stderr  # whatever the SDK prints must not mix with answers


def say(**message):
    OUTPUT.write(json.dumps(message) + "\n")
    OUTPUT.flush()


def as_param(command, instance):
    return RegisterInstanceParam(
        service_name=command["service"], group_name=command["group"], ip=instance["ip"],
        port=instance["port"], weight=instance["weight"], healthy=instance["healthy"],
        enabled=instance["enabled"], ephemeral=instance["ephemeral"],
        cluster_name=instance["cluster"], metadata=instance["metadata"])


def as_json(hosts):
    return [{"ip": h.ip, "port": h.port, "weight": h.weight, "healthy": h.healthy,
             "enabled": h.enabled, "ephemeral": h.ephemeral, "cluster": h.clusterName,
             "metadata": h.metadata} for h in hosts or []]


class Adapter:
    def __init__(self):
        self.configs, self.namings = {}, {}

    def settings(self, client):
        folder = f"{WORKDIR}/{client}"
        config = (ClientConfigBuilder().server_address(SERVER).log_dir(folder + "/log")
                  .cache_dir(folder + "/cache").build())
        return config

    async def config(self, command):
        name = command["client"]
        if name not in self.configs:
            self.configs[name] = await NacosConfigService.create_config_service(
                self.settings(name))
        return self.configs[name]

    async def naming(self, command):
        name = command["client"]
        if name not in self.namings:
            self.namings[name] = await NacosNamingService.create_naming_service(
                self.settings(name))
        return self.namings[name]

    async def publish(self, c):
        return await (await self.config(c)).publish_config(ConfigParam(
            data_id=c["dataId"], group=c["group"], content=c["content"],
            cas_md5=c.get("casMd5") or ""))

    async def get(self, c):
        content = await (await self.config(c)).get_config(
            ConfigParam(data_id=c["dataId"], group=c["group"]))
        return content or None  # the SDK says "" for what does not exist

    async def remove(self, c):
        return await (await self.config(c)).remove_config(
            ConfigParam(data_id=c["dataId"], group=c["group"]))

    async def listen(self, c):
        async def changed(_tenant, _group, _data_id, content):
            say(event="config", tag=c["tag"], content=content)
        await (await self.config(c)).add_listener(c["dataId"], c["group"], changed)
        return True

    async def register(self, c):
        return await (await self.naming(c)).register_instance(as_param(c, c["instance"]))

    async def update(self, c):
        return await (await self.naming(c)).update_instance(as_param(c, c["instance"]))

    async def deregister(self, c):
        i = c["instance"]
        return await (await self.naming(c)).deregister_instance(DeregisterInstanceParam(
            service_name=c["service"], group_name=c["group"], ip=i["ip"], port=i["port"],
            cluster_name=i["cluster"], ephemeral=i["ephemeral"]))

    async def batch(self, c):
        return await (await self.naming(c)).batch_register_instances(
            BatchRegisterInstanceParam(
                service_name=c["service"], group_name=c["group"],
                instances=[as_param(c, each) for each in c["instances"]]))

    async def list(self, c):
        return as_json(await (await self.naming(c)).list_instances(ListInstanceParam(
            service_name=c["service"], group_name=c["group"], subscribe=False,
            healthy_only=c["healthy"])))

    async def subscribe(self, c):
        async def changed(hosts):
            say(event="service", tag=c["tag"], instances=as_json(hosts))
        await (await self.naming(c)).subscribe(SubscribeServiceParam(
            service_name=c["service"], group_name=c["group"], subscribe_callback=changed))
        return True


async def main():
    adapter = Adapter()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            value = await getattr(adapter, command["op"])(command)
            say(id=command["id"], value=value)
        except Exception as problem:  # every failure is an answer
            traceback.print_exc()
            say(id=command["id"], error=f"{type(problem).__name__}: {problem}")


asyncio.run(main())
