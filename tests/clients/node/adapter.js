// Adapter of the npm package nacos: executes the commands of ../README.md.
'use strict';

const readline = require('readline');
// NacosConfigClient wraps this one and shares it between all processes of the
// machine through TCP port 7777; a test must not meet other programs there.
const { DataClient, NacosNamingClient } = require('nacos');

const [server, workdir] = process.argv.slice(2);
const logger = Object.assign(Object.create(console), {
  log() {}, info() {}, debug() {}, warn: console.error,
});
const configs = new Map();
const namings = new Map();

function say(message) {
  process.stdout.write(JSON.stringify(message) + '\n');
}

function config({ client }) {
  if (!configs.has(client)) {
    const made = new DataClient({
      serverAddr: server, namespace: 'public', cacheDir: `${workdir}/${client}/cache`,
    });
    made.on('error', error => console.error(error));
    configs.set(client, made);
  }
  return configs.get(client);
}

async function naming({ client }) {
  if (!namings.has(client)) {
    const made = new NacosNamingClient({ logger, serverList: server, namespace: 'public' });
    made.on('error', error => console.error(error));
    await made.ready();
    namings.set(client, made);
  }
  return namings.get(client);
}

function toSdk({ ip, port, weight, healthy, enabled, ephemeral, cluster, metadata }) {
  return { ip, port, weight, healthy, enabled, ephemeral, clusterName: cluster, metadata };
}

function fromSdk(hosts) {
  return hosts.map(h => ({
    ip: h.ip, port: h.port, weight: h.weight, healthy: h.healthy, enabled: h.enabled,
    ephemeral: h.ephemeral, cluster: h.clusterName, metadata: h.metadata,
  }));
}

const operations = {
  publish: c => config(c).publishSingle(c.dataId, c.group, c.content),
  get: c => config(c).getConfig(c.dataId, c.group),
  remove: c => config(c).remove(c.dataId, c.group),
  async listen(c) {
    // A key that is added while a poll is held waits for the end of that poll
    // (30 s), so every listener has a client of its own.
    config({ client: `${c.client}-${c.tag}` }).subscribe({ dataId: c.dataId, group: c.group },
      content => say({ event: 'config', tag: c.tag, content }));
    return true;
  },
  async register(c) {
    await (await naming(c)).registerInstance(c.service, toSdk(c.instance), c.group);
    return true;
  },
  // There is no update: an instance registered again has the new values.
  update: c => operations.register(c),
  async deregister(c) {
    await (await naming(c)).deregisterInstance(c.service, toSdk(c.instance), c.group);
    return true;
  },
  async list(c) {
    const client = await naming(c);
    const hosts = c.healthy === null
      ? await client.getAllInstances(c.service, c.group, 'DEFAULT', false)
      : await client.selectInstances(c.service, c.group, 'DEFAULT', c.healthy, false);
    return fromSdk(hosts);
  },
  async subscribe(c) {
    (await naming(c)).subscribe({ serviceName: c.service, groupName: c.group },
      hosts => say({ event: 'service', tag: c.tag, instances: fromSdk(hosts) }));
    return true;
  },
};

async function answer(line) {
  const command = JSON.parse(line);
  try {
    say({ id: command.id, value: await operations[command.op](command) });
  } catch (error) {
    console.error(error);
    say({ id: command.id, error: `${error.name}: ${error.message}` });
  }
}

let queue = Promise.resolve();
readline.createInterface({ input: process.stdin })
  .on('line', line => { queue = queue.then(() => answer(line)); })
  .on('close', () => process.exit(0));
