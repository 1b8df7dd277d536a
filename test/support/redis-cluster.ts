import { Redis } from 'ioredis';
import { freePort, RedisServer } from './redis-server.js';
import { pause, until } from './waiting.js';

const NODE_TIMEOUT_MS = 1_000;
const SLOTS = 16_384;
/** Long enough for commands to meet a slot that is half moved. */
const BETWEEN_KEYS_MS = 3;

/** A Redis Cluster of three primaries with a replica each, on free ports. */
export class RedisCluster {
  private constructor(
    /** The first half are the primaries at the start; node i+3 replicates node i. */
    readonly nodes: readonly RedisServer[],
  ) {}

  /** Starts the nodes, joins them and resolves when every node sees a complete cluster. */
  static async start(): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: 6 }, () => startNode()));
    const cluster = new RedisCluster(nodes);
    const admins = nodes.map(({ port }) => new Redis({ port }));
    try {
      await join(admins);
      await replicate(admins);
    } catch (error) {
      await cluster.stop();
      throw error;
    } finally {
      for (const admin of admins) admin.disconnect();
    }
    return cluster;
  }

  /** What a client needs to find the cluster. */
  get addresses(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The nodes that have slots now, as one that is up sees it. */
  async primaries(): Promise<RedisServer[]> {
    const witness = this.nodes.find(({ isUp }) => isUp);
    const admin = new Redis({ port: witness?.port });
    try {
      const slots = await admin.cluster('SLOTS');
      const ports = new Set(slots.map(([, , [, port]]) => port));
      return this.nodes.filter(({ port }) => ports.has(port));
    } finally {
      admin.disconnect();
    }
  }

  /**
   * Moves the slot of a key to the next of the primaries, key by key as `redis-cli --cluster reshard` does it, and resolves
   * with how many keys went. Clients are answered ASK and TRYAGAIN meanwhile, and MOVED afterwards.
   */
  async moveSlotOf(key: string): Promise<number> {
    const primaries = await this.primaries();
    const admins = primaries.map(({ port }) => new Redis({ port }));
    try {
      const slot = String(await admins[0].cluster('KEYSLOT', key));
      const ids = await Promise.all(admins.map(async (admin) => String(await admin.call('CLUSTER', 'MYID'))));
      const from = await ownerOf(admins[0], Number(slot), primaries);
      const to = (from + 1) % primaries.length;
      await admins[to].call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]);
      await admins[from].call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]);
      const moved = await migrateKeys(admins[from], slot, primaries[to].port);
      // The new owner first: from then on nobody is sent back.
      for (const index of [to, from, ...admins.keys()])
        await admins[index].call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]);
      return moved;
    } finally {
      for (const admin of admins) admin.disconnect();
    }
  }

  /** Resolves when every node is up and sees a complete cluster in which none has failed: after a node was killed and is back. */
  async whole(): Promise<void> {
    const admins = this.nodes.map(({ port }) => new Redis({ port }));
    try {
      await everyNode(admins, (info) => /cluster_state:ok/.test(info));
      for (const admin of admins) {
        await until(
          'no node counts as failed',
          async () => !/fail/.test(String(await admin.cluster('NODES'))),
        );
        await until('it follows or is followed', async () =>
          /master_link_status:up|connected_slaves:[1-9]/.test(await admin.info('replication')),
        );
      }
    } finally {
      for (const admin of admins) admin.disconnect();
    }
  }

  /** How often the nodes have sent clients elsewhere, or told them to try again, since they started. */
  async redirections(): Promise<number> {
    let count = 0;
    for (const { port } of this.nodes) {
      const admin = new Redis({ port });
      const stats = await admin.info('errorstats').finally(() => admin.disconnect());
      for (const [, times] of stats.matchAll(/errorstat_(?:ASK|MOVED|TRYAGAIN):count=(\d+)/g))
        count += Number(times);
    }
    return count;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

/** The index of the primary that has the slot. */
async function ownerOf(admin: Redis, slot: number, primaries: readonly RedisServer[]): Promise<number> {
  const ranges = await admin.cluster('SLOTS');
  const [, , [, port]] = ranges.find(([first, last]) => first <= slot && slot <= last)!;
  return primaries.findIndex((primary) => primary.port === port);
}

/** One key at a time, so that commands with several keys meet a slot of which some are here and some there. */
async function migrateKeys(from: Redis, slot: string, port: number): Promise<number> {
  let moved = 0;
  for (;;) {
    const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[];
    if (keys.length === 0) return moved;
    for (const key of keys) {
      const done = await from.call('MIGRATE', '127.0.0.1', String(port), key, '0', '5000');
      if (done === 'OK') moved++;
      await pause(BETWEEN_KEYS_MS);
    }
  }
}

async function startNode(): Promise<RedisServer> {
  // The port of the nodes among themselves is this and 10000.
  const port = await freePort();
  const timeout = ['--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
  return RedisServer.startOn(
    port,
    '--cluster-enabled',
    'yes',
    ...timeout,
    '--cluster-replica-validity-factor',
    '0',
  );
}

async function join(admins: readonly Redis[]): Promise<void> {
  const share = Math.ceil(SLOTS / 3);
  for (const [index, admin] of admins.slice(0, 3).entries()) {
    const last = Math.min((index + 1) * share, SLOTS) - 1;
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(last));
  }
  for (const [index, admin] of admins.entries())
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
  for (const admin of admins.slice(1)) {
    await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(admins[0].options.port));
  }
  await everyNode(admins, (info) => /cluster_state:ok/.test(info) && /cluster_known_nodes:6/.test(info));
}

async function replicate(admins: readonly Redis[]): Promise<void> {
  const primaries = admins.slice(0, 3);
  for (const [index, primary] of primaries.entries()) {
    const id = String(await primary.call('CLUSTER', 'MYID'));
    await admins[index + 3].call('CLUSTER', 'REPLICATE', id);
  }
  for (const primary of primaries) {
    await until('a replica follows', async () =>
      /connected_slaves:1/.test(await primary.info('replication')),
    );
  }
  await everyNode(admins, (info) => /cluster_state:ok/.test(info));
}

async function everyNode(admins: readonly Redis[], holds: (info: string) => boolean): Promise<void> {
  for (const admin of admins)
    await until('the cluster has formed', async () => holds(String(await admin.call('CLUSTER', 'INFO'))));
}
