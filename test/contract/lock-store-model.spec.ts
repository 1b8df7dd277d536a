import fc from 'fast-check';
import { Redis } from 'ioredis';
import type { LockClaim, LockStore } from '../../lib/driver/lock-store.js';
import { MemoryLockStore } from '../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryLockTable } from '../../lib/drivers/memory/locks/memory-lock-table.js';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { RedisServer } from '../support/redis-server.js';

const runs = Number(process.env.LOCK_MODEL_RUNS ?? (process.env.FULL === '1' ? 1_000 : 100));
const steps = 50;
const ttlMs = 600_000;
const keys = ['a', 'b'];
const clients = 3;

/** One step: client `client` acts with its claim `slot` of that kind. */
interface Step {
  readonly act: 'acquire' | 'extend' | 'release' | 'expire' | 'peek';
  readonly client: number;
  readonly kind: 'a' | 'b' | 'both' | 'reader' | 'permit';
  readonly slot: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.oneof(
    { weight: 5, arbitrary: fc.constant('acquire' as const) },
    { weight: 2, arbitrary: fc.constant('extend' as const) },
    { weight: 3, arbitrary: fc.constant('release' as const) },
    { weight: 1, arbitrary: fc.constant('expire' as const) },
    { weight: 2, arbitrary: fc.constant('peek' as const) },
  ),
  client: fc.nat(clients - 1),
  kind: fc.constantFrom('a', 'b', 'both', 'reader', 'permit'),
  slot: fc.nat(1),
});

function claimOf({ client, kind, slot }: Step, run: number): LockClaim {
  const names = kind === 'both' ? keys : kind === 'b' ? ['b'] : ['a'];
  const mode = kind === 'reader' || kind === 'permit' ? 'shared' : 'exclusive';
  const token = `${client}${slot}${{ a: 0, b: 1, both: 2, reader: 3, permit: 4 }[kind]}`.padStart(32, '0');
  const permits = kind === 'permit' ? 2 : 0;
  return { keys: names.map((name) => `{${run}}:${name}`), token, mode, permits, ttlMs };
}

/** The specification in its shortest form: who holds which key, and how. Nobody waits. */
class Model {
  private readonly held = new Map<string, LockClaim[]>();

  acquire(claim: LockClaim): boolean {
    const free = claim.keys.every((key) => this.holds(key, claim) || this.free(key, claim));
    if (free)
      for (const key of claim.keys) if (!this.holds(key, claim)) this.held.set(key, [...this.of(key), claim]);
    return free;
  }

  extend(claim: LockClaim): boolean {
    return claim.keys.every((key) => this.holds(key, claim));
  }

  release(claim: LockClaim): boolean {
    const held = this.extend(claim);
    for (const key of claim.keys)
      this.held.set(
        key,
        this.of(key).filter(({ token }) => token !== claim.token),
      );
    return held;
  }

  expire(): void {
    this.held.clear();
  }

  peek(key: string): unknown {
    const holders = this.of(key);
    return { holders: holders.length, mode: holders[0]?.mode };
  }

  private of(key: string): LockClaim[] {
    return this.held.get(key) ?? [];
  }

  private holds(key: string, claim: LockClaim): boolean {
    return this.of(key).some(({ token }) => token === claim.token);
  }

  private free(key: string, { mode, permits }: LockClaim): boolean {
    const holders = this.of(key);
    const room = permits === 0 || holders.length < permits;
    return holders.length === 0 || (mode === 'shared' && holders[0].mode === 'shared' && room);
  }
}

describe(`Lock stores against a model, ${runs} runs of ${steps} steps`, () => {
  let server: RedisServer;
  let admin: Redis;
  let stores: RedisLockStore[];
  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
    stores = Array.from({ length: clients }, () => new RedisLockStore({ url: server.url }));
    await Promise.all(stores.map((store) => store.connect()));
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    admin.disconnect();
    await server.stop();
  });

  it('memory, Redis and the model never differ, and fencing tokens rise', async () => {
    let run = 0;
    const granted = { memory: 0, redis: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: steps, maxLength: steps }), async (plan) => {
        run++;
        const clock = new ManualClock();
        const table = new MemoryLockTable({ clock });
        const memory = Array.from({ length: clients }, () => new MemoryLockStore({ table }));
        await Promise.all(memory.map((store) => store.connect()));
        const model = new Model();
        const lasts = { memory: new Map<string, bigint>(), redis: new Map<string, bigint>() };
        const ask = async (engine: 'memory' | 'redis', store: LockStore, { act }: Step, claim: LockClaim) => {
          if (act === 'extend') return store.extend(claim);
          if (act === 'release') return store.release(claim);
          if (act === 'peek') {
            const { holders, mode } = await store.peek(claim.keys[0]);
            return { holders, mode };
          }
          const before = await store.peek(claim.keys[0]);
          const answer = await store.acquire(claim);
          if (!answer.granted) return false;
          granted[engine]++;
          for (const key of claim.keys) {
            const last = lasts[engine].get(key) ?? 0n;
            const repeated = before.holders > 0 && answer.fencingToken === last;
            expect(answer.fencingToken > last || repeated).toBe(true);
            lasts[engine].set(key, answer.fencingToken);
          }
          return true;
        };
        for (const next of plan) {
          const claim = claimOf(next, run);
          if (next.act === 'expire') {
            model.expire();
            await clock.advance(ttlMs + 1);
            await admin.del(keys.map((name) => `disco:lock:{${run}}:{${run}}:${name}`));
            continue;
          }
          const expected = next.act === 'peek' ? model.peek(claim.keys[0]) : model[next.act](claim);
          const answers = [
            await ask('memory', memory[next.client], next, claim),
            await ask('redis', stores[next.client], next, claim),
          ];
          expect(answers).toEqual([expected, expected]);
        }
      }),
      { numRuns: runs },
    );
    expect(run).toBeGreaterThanOrEqual(runs);
    expect(granted.redis).toBe(granted.memory);
    expect(granted.redis).toBeGreaterThan(runs);
  }, 600_000);
});
