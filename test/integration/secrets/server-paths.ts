import { Redis } from 'ioredis';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import type { RedisDriverOptions } from '../../../lib/drivers/redis/redis-options.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { RedisServer } from '../../support/redis-server.js';
import { type FailingPath, failure, PASSWORD, PAYLOAD, type Witness } from './witness.js';

interface Ground {
  readonly driver?: RedisDriverOptions;
  readonly bus?: Partial<DiscoBusOptions>;
  readonly args?: readonly string[];
}

/** A bus on a server with the password. */
async function ground(witness: Witness, { driver, bus: options, args = [] }: Ground = {}) {
  const server = await RedisServer.start(...args);
  witness.after(() => server.stop());
  const admin = new Redis(server.url);
  witness.after(() => admin.disconnect());
  await admin.config('SET', 'requirepass', PASSWORD);
  const url = `redis://:${PASSWORD}@127.0.0.1:${server.port}`;
  const bus = witness.bus({ driver: redisDriver({ url, ...driver }), bundling: false, ...options });
  return { server, admin, bus };
}

const timeout = 1_000;
const patients = { patient: PAYLOAD };

/** Publishes once `spoil` has changed the server. */
const publish = (
  fails: RegExp,
  spoil: (on: Awaited<ReturnType<typeof ground>>) => unknown,
  given: Ground = {},
): FailingPath => ({
  fails,
  run: async (witness) => {
    const on = await ground(witness, given);
    await on.bus.start();
    await on.bus.publish('t', 'first');
    await spoil(on);
    return failure(() => on.bus.publish('t', patients, { timeout, headers: { note: PAYLOAD } }));
  },
});

/** What a server answers to publishes that it does not take. */
export const serverPaths: Record<string, FailingPath> = {
  READONLY: publish(/READONLY/, ({ admin }) => admin.replicaof('127.0.0.1', 1)),
  OOM: publish(/DISCO_|OOM/, ({ admin }) => admin.config('SET', 'maxmemory', 1)),
  NOPERM: publish(/NOPERM/, ({ admin }) => admin.acl('SETUSER', 'default', '-xadd', '-evalsha', '-eval')),
  'a command that is not there': {
    fails: /NOPERM \+eval/,
    run: async (witness) => {
      const { bus } = await ground(witness, { args: ['--rename-command', 'EVAL', 'NOTHERE'] });
      return failure(async () => {
        await bus.start();
        await bus.publish('t', patients);
      });
    },
  },
  'NOPERM on a key': publish(/NOPERM/, ({ admin }) =>
    admin.acl('SETUSER', 'default', 'resetkeys', '~nothing'),
  ),
  'a key of another type': publish(/WRONGTYPE|DISCO_DRIVER/, async ({ admin }) => {
    await admin.del('disco:{t}');
    await admin.set('disco:{t}', 'x');
  }),
  'stream full': publish(
    /DISCO_STREAM_FULL/,
    async ({ bus }) => void (await bus.subscribe('t', () => {}).then((s) => s.close())),
    {
      driver: { streams: { maxLength: 1 } },
    },
  ),
  'too few replicas': {
    fails: /DISCO_NOT_REPLICATED/,
    run: async (witness) => {
      const durability = { replicas: 1, timeout: 100 };
      const { bus } = await ground(witness, { driver: { streams: { durability } } });
      await bus.start();
      return failure(() => bus.publish('t', patients));
    },
  },
  'a server that does not answer': publish(/DISCO_PUBLISH/, ({ server }) => server.freeze()),
  'a server that dies': publish(/DISCO_PUBLISH|DISCO_NOT_CONNECTED/, ({ server }) => server.kill()),
  'no room while disconnected': publish(
    /DISCO_BACKPRESSURE/,
    async ({ server, bus }) => {
      await server.kill();
      for (let n = 0; n < 5; n++) bus.publish('t', patients, { timeout }).catch(() => undefined);
    },
    { bus: { publishLimit: { messages: 2 } as never } },
  ),
  'publishBatch partly sent': {
    fails: /DISCO_BATCH_PARTLY_SENT/,
    run: async (witness) => {
      const { bus } = await ground(witness, { driver: { streams: { maxLength: 2 } } });
      await bus.start();
      await (await bus.subscribe('t', () => {})).close();
      return failure(() =>
        bus.publishBatch(
          't',
          Array.from({ length: 5 }, () => patients),
        ),
      );
    },
  },
  'a node of a Cluster that was named as a server': {
    fails: /DISCO_CONFIGURATION/,
    run: async (witness) => {
      const cluster = await RedisCluster.start();
      witness.after(() => cluster.stop());
      const [node] = await cluster.primaries();
      const url = `redis://:${PASSWORD}@127.0.0.1:${node.port}`;
      await setPassword(cluster);
      return failure(() =>
        witness.bus({ driver: redisDriver({ url }), connection: { critical: true } }).start(),
      );
    },
  },
  MOVED: {
    fails: /MOVED/,
    run: async (witness) => {
      const cluster = await RedisCluster.start();
      witness.after(() => cluster.stop());
      const nodes = cluster.addresses;
      const driver = redisDriver({ cluster: { nodes } });
      const bus = witness.bus({ driver, bundling: false });
      await bus.start();
      await missing(cluster, 'disco:{t}');
      return failure(() => bus.publish('t', patients, { timeout: 5_000 }));
    },
  },
};

/** Each node of the cluster wants the password. */
async function setPassword({ nodes }: RedisCluster): Promise<void> {
  for (const node of nodes) {
    const admin = new Redis(node.url);
    await admin.config('SET', 'requirepass', PASSWORD);
    admin.disconnect();
  }
}

/** The owner of the key says that another node has it, and that one says that the owner has. */
async function missing(cluster: RedisCluster, key: string): Promise<void> {
  const admins = (await cluster.primaries()).map(({ url }) => new Redis(url));
  const slot = Number(await admins[0].call('CLUSTER', 'KEYSLOT', key));
  const ids = await Promise.all(admins.map((admin) => admin.call('CLUSTER', 'MYID')));
  const shards = (await admins[0].call('CLUSTER', 'SLOTS')) as [number, number, [string, number, string]][];
  const owner = shards.find(([from, to]) => from <= slot && slot <= to)?.[2][2];
  const at = ids.indexOf(owner);
  await admins[at].call('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[(at + 1) % ids.length]));
  for (const admin of admins) admin.disconnect();
}
