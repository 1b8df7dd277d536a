import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import type { StreamDurability } from '../../lib/drivers/redis/streams/stream-options.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { full, report } from './fault-report.js';
import { FencedStore } from './locks-support.js';

const MESSAGES = 100;
const LOCKS = full ? 100 : 10;
const LOCK_TTL_MS = 2_000;

describe('A primary that dies while its replica hears nothing', () => {
  const closing: (() => Promise<unknown>)[] = [];
  let primary: RedisServer;
  let replica: RedisServer;
  /** What the replica follows. */
  let replication: FaultProxy;
  /** What clients connect to; it moves to the replica with the promotion. */
  let address: FaultProxy;

  beforeEach(async () => {
    primary = await RedisServer.start();
    replication = await FaultProxy.start(primary.port);
    address = await FaultProxy.start(primary.port);
    replica = await RedisServer.start('--replicaof', '127.0.0.1', String(replication.port));
    await replicaOf(primary);
  });
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
    await Promise.all([address.stop(), replication.stop()]);
    await Promise.all([primary.stop(), replica.stop()]);
  });

  async function bus(durability: StreamDurability): Promise<DiscoBus> {
    const driver = redisDriver({ url: address.url, streams: { durability } });
    const made = new DiscoBus({ driver, service: 'workers', shutdownTimeout: '3s' });
    closing.push(() => made.stop());
    await made.start();
    return made;
  }

  async function locks(): Promise<LockManager> {
    const made = new LockManager(new RedisLockStore({ url: address.url }));
    closing.push(() => made.close());
    await made.connect();
    return made;
  }

  /** Kills the primary, makes the replica the new one, and the former a replica of that. */
  async function failover(): Promise<void> {
    await primary.kill();
    expect(await command(replica, 'REPLICAOF', 'NO', 'ONE')).toBe('OK');
    address.retarget(replica.port);
    address.cut();
    await primary.boot();
    await command(primary, 'REPLICAOF', '127.0.0.1', String(replica.port));
    await replicaOf(replica);
  }

  /** Publishes before and in the black hole; tells what of each was accepted and of that lost. */
  async function publishAcross(durability: StreamDurability) {
    const received = new Set<number>();
    const listen = async (by: DiscoBus) => {
      const take = ({ n }: { n: number }) => void received.add(n);
      await by.subscribe('load', take, { delivery: 'at-least-once' });
    };
    const [publisher, before] = [await bus(durability), await bus('primary')];
    await listen(before);
    await before.stop();
    const [accepted, codes] = [new Set<number>(), new Map<string, number>()];
    const publish = (n: number) =>
      publisher.publish('load', { n }, { delivery: 'at-least-once' }).then(
        () => accepted.add(n),
        ({ code }: { code: string }) => codes.set(code, (codes.get(code) ?? 0) + 1),
      );
    const numbers = (from: number) => Array.from({ length: MESSAGES }, (_, index) => from + index);
    await Promise.all(numbers(0).map(publish));
    await until('the replica has all', async () => (await lag()) === 0, 5_000);
    replication.blackHole();
    await Promise.all(numbers(MESSAGES).map(publish));
    const unheard = await lag();
    await failover();
    await listen(await bus('primary'));
    const marker = 2 * MESSAGES;
    const last = await bus('primary');
    await last.publish('load', { n: marker }, { delivery: 'at-least-once' });
    await until('the new primary serves', () => received.has(marker), 10_000);
    await pause(300);
    const lost = [...accepted].filter((n) => !received.has(n));
    const inHole = [...accepted].filter((n) => n >= MESSAGES).length;
    return { accepted: accepted.size, inHole, codes: Object.fromEntries(codes), lost, unheard };
  }

  /** How many bytes of what the primary wrote its replica does not have. */
  async function lag(): Promise<number> {
    const offset = async (server: RedisServer, field: string) =>
      Number(new RegExp(`${field}:(\\d+)`).exec(String(await command(server, 'INFO', 'replication')))?.[1]);
    const [written, had] = [
      await offset(primary, 'master_repl_offset'),
      await offset(replica, 'slave_repl_offset'),
    ];
    return written - had;
  }

  it("what was accepted by the primary alone is lost, and that alone, with durability 'primary'", async () => {
    const { accepted, inHole, codes, lost, unheard } = await publishAcross('primary');
    const exactly = lost.length === MESSAGES && lost.every((n) => n >= MESSAGES);
    const pass = exactly && inHole === MESSAGES && unheard > 0;
    const figures = { sent: 2 * MESSAGES, accepted, faults: replication.counts.blackHoles, refused: codes };
    report({ engine: 'streams', durability: 'primary', ...figures, lost: lost.length, pass });
    expect(unheard).toBeGreaterThan(0);
    expect({ accepted, inHole, codes }).toEqual({ accepted: 2 * MESSAGES, inHole: MESSAGES, codes: {} });
    expect(lost).toEqual(Array.from({ length: MESSAGES }, (_, index) => MESSAGES + index));
  }, 60_000);

  it('nothing that was accepted is lost, with a replica asked for', async () => {
    const { accepted, inHole, codes, lost, unheard } = await publishAcross({ replicas: 1, timeout: 500 });
    const pass = accepted === MESSAGES && inHole === 0 && lost.length === 0 && unheard > 0;
    const figures = { sent: 2 * MESSAGES, accepted, faults: replication.counts.blackHoles, refused: codes };
    report({ engine: 'streams', durability: 'replicas 1', ...figures, lost: lost.length, pass });
    expect(unheard).toBeGreaterThan(0);
    expect({ accepted, inHole, lost }).toEqual({ accepted: MESSAGES, inHole: 0, lost: [] });
    expect(codes).toEqual({ DISCO_NOT_REPLICATED: MESSAGES });
  }, 60_000);

  it('the next holder of a lock has a larger fencing token, and a store that compares takes no stale write', async () => {
    const [first, second] = [await locks(), await locks()];
    const keys = Array.from({ length: LOCKS }, (_, index) => `key-${index}`);
    const options = { ttl: LOCK_TTL_MS, minReplicas: 1, replicaTimeout: LOCK_TTL_MS } as const;
    const held = await Promise.all(keys.map((key) => first.acquire(key, options)));
    replication.blackHole();
    // The replica learns neither that a hold lasts longer nor of new ones, which are no holds if it was to confirm them.
    await Promise.all(held.map((lock) => lock.extend('30s')));
    const unconfirmed = { ...options, replicaTimeout: 50 };
    const refusals = await Promise.all(keys.map((key) => refusal(first.acquire(`${key}-new`, unconfirmed))));
    const unheard = await Promise.all(keys.map((key) => first.acquire(`${key}-plain`, { ttl: '30s' })));
    await failover();
    const all = [...held, ...unheard];
    const believing = all.filter((lock) => lock.isValid()).length;
    const store = new FencedStore();
    let [larger, stale] = [0, 0];
    await Promise.all(
      all.map(async (lock) => {
        const [key] = lock.keys;
        const next = await second.acquire(key, options);
        if (next.fencingToken > lock.fencingToken) larger++;
        store.write(key, next.fencingToken);
        const accepted = store.accepted.length;
        store.write(key, lock.fencingToken);
        stale += store.accepted.length - accepted;
      }),
    );
    const faults = replication.counts.blackHoles;
    const pass = larger === all.length && stale === 0 && believing === all.length;
    const figures = { sent: all.length, faults, believing, larger, refusedWrites: store.refused };
    report({ engine: 'locks', ...figures, staleWrites: stale, pass });
    expect(new Set(refusals)).toEqual(new Set(['DISCO_LOCK_NOT_REPLICATED']));
    // Two believe to hold each of them: that is what the token is for.
    expect(believing).toBe(all.length);
    expect({ larger, stale, refused: store.refused }).toEqual({
      larger: all.length,
      stale: 0,
      refused: all.length,
    });
  }, 60_000);
});

async function command(server: RedisServer, name: string, ...args: string[]): Promise<unknown> {
  const admin = new Redis(server.url);
  try {
    return await admin.call(name, ...args);
  } finally {
    admin.disconnect();
  }
}

/** Resolves when `server` has a replica that is in step. */
async function replicaOf(server: RedisServer): Promise<void> {
  const online = async () => String(await command(server, 'INFO', 'replication')).includes('state=online');
  await until('a replica follows', online, 10_000);
}

async function refusal(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    ({ code }: { code: string }) => code,
  );
}
