import type { LockStore } from '../../../lib/driver/lock-store.js';
import { MemoryLockStore } from '../../../lib/drivers/memory/locks/memory-lock-store.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import type { LockObserver } from '../../../lib/lock/lock-observer.js';
import { bench, over, settled } from './support.js';

describe('LockManager', () => {
  let world: ReturnType<typeof bench>;
  beforeEach(() => {
    world = bench();
  });
  afterEach(async () => {
    await world.close();
    expect(world.clock.pending).toBe(0);
  });

  it('excludes others until released, then lets the next in with a larger fencing token', async () => {
    const [a, b] = [await world.manager(), await world.manager()];
    const lock = await a.acquire('key');
    expect(await b.tryAcquire('key')).toBeNull();
    expect(await a.tryAcquire('key')).toBeNull();
    const waiting = b.acquire('key');
    await lock.release();
    const next = await settled(world.clock, waiting);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await next.release();
    expect(world.table.size).toBe(0);
  });

  it('counts validity from before the claim was sent, minus 1 % and 2 ms', async () => {
    const slow = (store: LockStore): LockStore =>
      over(store, {
        acquire: async (...args: Parameters<LockStore['acquire']>) => {
          const answer = await store.acquire(...args);
          await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 300));
          return answer;
        },
      });
    const locks = await world.manager({}, slow);
    const lock = await settled(world.clock, locks.acquire('key', { ttl: 1_000 }), 300);
    expect(lock.remainingMs()).toBe(1_000 - 300 - 12);
    await world.clock.advance(687);
    expect(lock.isValid()).toBe(true);
    await world.clock.advance(2);
    expect(lock.isValid()).toBe(false);
    expect(() => lock.assertValid()).toThrow(expect.objectContaining({ code: 'DISCO_LOCK_LOST' }));
  });

  it('refuses a grant of which nothing remains, and tries again', async () => {
    let delayMs = 500;
    const slow = (store: LockStore): LockStore =>
      over(store, {
        acquire: async (...args: Parameters<LockStore['acquire']>) => {
          const answer = await store.acquire(...args);
          await new Promise<void>((resolve) => world.clock.setTimeout(resolve, delayMs));
          delayMs = 1;
          return answer;
        },
      });
    const locks = await world.manager({}, slow);
    const lock = await settled(world.clock, locks.acquire('key', { ttl: 200 }));
    expect(lock.remainingMs()).toBeGreaterThan(150);
    await lock.release();
  });

  it('serves the waiters of a process in the order they came', async () => {
    const locks = await world.manager();
    const served: number[] = [];
    const first = await locks.acquire('key');
    const work = Array.from({ length: 20 }, (_, place) =>
      locks.using('key', () => {
        served.push(place);
      }),
    );
    await first.release();
    await settled(world.clock, Promise.all(work));
    expect(served).toEqual(Array.from({ length: 20 }, (_, place) => place));
  });

  it('passes a lock on at most 16 times in a process before another has its turn', async () => {
    const [a, b] = [await world.manager(), await world.manager()];
    const first = await a.acquire('key');
    const served: string[] = [];
    const work = Array.from({ length: 60 }, () => a.using('key', () => void served.push('a')));
    await world.clock.advance(10);
    const other = b.using('key', () => void served.push('b'));
    await world.clock.advance(10);
    await first.release();
    await settled(world.clock, Promise.all([...work, other]));
    expect(served.indexOf('b')).toBeGreaterThan(0);
    expect(served.indexOf('b')).toBeLessThanOrEqual(17);
  });

  it('serves fair claims in the order they came, over all processes', async () => {
    const managers = [await world.manager(), await world.manager(), await world.manager()];
    const first = await managers[0].acquire('key', { fair: true });
    const served: number[] = [];
    const work = [];
    for (let place = 0; place < 12; place++) {
      work.push(managers[place % 3].using('key', { fair: true }, () => void served.push(place)));
      await world.clock.advance(1);
    }
    await first.release();
    await settled(world.clock, Promise.all(work));
    expect(served).toEqual(Array.from({ length: 12 }, (_, place) => place));
  });

  it('gives up after wait, and leaves nothing behind', async () => {
    const [a, b] = [await world.manager(), await world.manager()];
    const lock = await a.acquire('key', { ttl: '1h' });
    const error = await settled(
      world.clock,
      b.acquire('key', { wait: 250 }).catch((thrown) => thrown),
    );
    expect(error).toMatchObject({ code: 'DISCO_LOCK_NOT_ACQUIRED', retryable: true, keys: ['key'] });
    await lock.release();
    expect(world.table.size).toBe(0);
  });

  it('stops waiting when the signal aborts, and leaves no listener', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key');
    const abort = new AbortController();
    const waiting = locks.acquire('key', { signal: abort.signal }).catch((thrown) => thrown);
    await world.clock.advance(1);
    abort.abort(new Error('enough'));
    expect(await waiting).toMatchObject({
      code: 'DISCO_ABORTED',
      name: 'AbortError',
      cause: new Error('enough'),
    });
    await lock.release();
    expect(world.table.size).toBe(0);
    await expect(locks.acquire('key', { signal: abort.signal })).rejects.toMatchObject({
      code: 'DISCO_ABORTED',
    });
    expect(world.table.size).toBe(0);
  });

  it('goes on to the next waiter when one gives up just as the lock is passed to it', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key');
    const abort = new AbortController();
    const quitter = locks.acquire('key', { signal: abort.signal }).catch((thrown) => thrown);
    const patient = locks.acquire('key');
    await world.clock.advance(1);
    const released = lock.release();
    abort.abort();
    expect(await quitter).toMatchObject({ code: 'DISCO_ABORTED' });
    await settled(world.clock, released);
    await (await settled(world.clock, patient)).release();
    expect(world.table.size).toBe(0);
  });

  describe('using', () => {
    it('extends the lock for as long as the work takes', async () => {
      const [a, b] = [await world.manager(), await world.manager()];
      let finish = () => {};
      const work = a.using('key', { ttl: 300 }, (lock, signal) => {
        expect(signal).toBe(lock.signal);
        return new Promise<string>((resolve) => {
          finish = () => resolve(`${signal.aborted}`);
        });
      });
      for (let step = 0; step < 60; step++) {
        await world.clock.advance(100);
        expect(await b.tryAcquire('key')).toBeNull();
      }
      finish();
      expect(await work).toBe('false');
      await world.clock.advance(1);
      expect(world.table.size).toBe(0);
    });

    it('throws the error of the work, also when the release fails', async () => {
      const failing = (store: LockStore): LockStore =>
        over(store, { release: () => Promise.reject(new Error('release')) });
      const locks = await world.manager({}, failing);
      const work = locks.using('key', () => Promise.reject(new Error('work')));
      await expect(work).rejects.toThrow('work');
      await expect(locks.using('other', async () => 7)).resolves.toBe(7);
    });

    it('rejects with LockLostError when the lock was lost under work that succeeded', async () => {
      const store = new MemoryLockStore({ table: world.table });
      await store.connect();
      const locks = await world.manager();
      const work = locks.using('key', { ttl: 300 }, async (lock) => {
        await store.release(lock.claim);
        await new Promise((resolve) => lock.signal.addEventListener('abort', resolve));
        expect(lock.isValid()).toBe(false);
      });
      await expect(settled(world.clock, work)).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    });

    it('does not extend any more once the caller has cancelled, and tells the work', async () => {
      const locks = await world.manager();
      const abort = new AbortController();
      let extensions = 0;
      const observer: LockObserver = {
        operation: (operation) => void (operation === 'extend' && extensions++),
        waited() {},
        held() {},
        lost() {},
      };
      const observed = await world.manager({ observer });
      const work = observed.using('key', { ttl: 300, signal: abort.signal }, async (_lock, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 150));
        return signal.reason;
      });
      await world.clock.advance(350);
      expect(extensions).toBe(3);
      abort.abort('stop');
      expect(await settled(world.clock, work)).toBe('stop');
      expect(extensions).toBe(3);
      expect(await locks.tryAcquire('key')).not.toBeNull();
    });
  });

  describe('signal', () => {
    it('aborts before validity ends, and not when the lock is released', async () => {
      const locks = await world.manager();
      const [lost, released] = [
        await locks.acquire('a', { ttl: 1_000 }),
        await locks.acquire('b', { ttl: 1_000 }),
      ];
      const signals = [lost.signal, released.signal];
      await world.clock.advance(960);
      await released.release();
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
      await world.clock.advance(15);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
      expect(lost.signal.reason).toMatchObject({ code: 'DISCO_LOCK_LOST' });
      expect(await world.manager().then((other) => other.tryAcquire('a'))).toBeNull();
      await expect(lost.release()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    });

    it('follows an extension', async () => {
      const locks = await world.manager();
      const lock = await locks.acquire('key', { ttl: 1_000 });
      const { signal } = lock;
      await world.clock.advance(900);
      await lock.extend('2s');
      await world.clock.advance(1_900);
      expect(signal.aborted).toBe(false);
      await world.clock.advance(100);
      expect(signal.aborted).toBe(true);
    });
  });

  it('never trusts an extension beyond the time it was sent plus the ttl', async () => {
    const slow = (store: LockStore): LockStore =>
      over(store, {
        extend: async (claim: Parameters<LockStore['extend']>[0]) => {
          const held = await store.extend(claim);
          await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 400));
          return held;
        },
      });
    const locks = await world.manager({}, slow);
    const lock = await locks.acquire('key', { ttl: 1_000 });
    await settled(world.clock, lock.extend(), 400);
    expect(lock.remainingMs()).toBe(1_000 - 400 - 12);
    await lock.release();
  });

  it('tells a foreign, expired or used-up lock from a held one', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key', { ttl: 200 });
    await world.clock.advance(201);
    const next = await locks.acquire('key');
    await expect(lock.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    await expect(lock.release()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    expect(next.isValid()).toBe(true);
    await next.release();
    await next.release();
    expect(next.isValid()).toBe(false);
    await expect(next.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  });

  it('releases at the end of a block, and hides no error of it', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key');
    await lock[Symbol.asyncDispose]();
    expect(world.table.size).toBe(0);
    await expect(lock[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });

  it('keeps a lock for minHold after an early release', async () => {
    const [a, b] = [await world.manager(), await world.manager()];
    await a.using('cron', { minHold: '5s' }, () => undefined);
    await world.clock.advance(4_900);
    expect(await b.tryAcquire('cron')).toBeNull();
    await world.clock.advance(200);
    expect(await b.tryAcquire('cron')).not.toBeNull();
  });

  it('lets as many in as a semaphore has permits', async () => {
    const managers = [await world.manager(), await world.manager()];
    let [inside, most] = [0, 0];
    const work = Array.from({ length: 20 }, (_, index) =>
      managers[index % 2].semaphore('pool', 3).using(async () => {
        most = Math.max(most, ++inside);
        await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 20));
        inside--;
      }),
    );
    await settled(world.clock, Promise.all(work));
    expect(most).toBe(3);
    expect(world.table.size).toBe(0);
  });

  it('lets readers in together, a writer alone, and no reader past a waiting writer', async () => {
    const [a, b] = [(await world.manager()).readWrite('doc'), (await world.manager()).readWrite('doc')];
    const readers = [await a.read.acquire(), await b.read.acquire()];
    expect(await b.write.tryAcquire()).toBeNull();
    const writing = b.write.acquire();
    await world.clock.advance(10);
    expect(await a.read.tryAcquire()).toBeNull();
    for (const reader of readers) await reader.release();
    const writer = await settled(world.clock, writing);
    expect(await a.read.tryAcquire()).toBeNull();
    await writer.release();
    expect(await a.read.tryAcquire()).not.toBeNull();
  });

  it('takes several keys all or none, in any order, without deadlock', async () => {
    const managers = [await world.manager(), await world.manager()];
    const inside = new Set<string>();
    const work = Array.from({ length: 30 }, (_, index) => {
      const keys = [['a', 'b', 'c'], ['c', 'a'], ['b', 'c'], ['a']][index % 4];
      return managers[index % 2].using(keys, async () => {
        for (const key of keys) {
          expect(inside.has(key)).toBe(false);
          inside.add(key);
        }
        await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 5));
        for (const key of keys) inside.delete(key);
      });
    });
    await settled(world.clock, Promise.all(work));
    expect(world.table.size).toBe(0);
  });

  it('tells its observer what happens', async () => {
    const told: string[] = [];
    const observer: LockObserver = {
      operation: (operation, status) => void told.push(`${operation} ${status}`),
      waited: (seconds) => void told.push(`waited ${seconds}`),
      held: (seconds) => void told.push(`held ${seconds}`),
      lost: () => void told.push('lost'),
    };
    const locks = await world.manager({ observer });
    const lock = await locks.acquire('key', { ttl: 1_000 });
    await locks.tryAcquire('key');
    await lock.extend();
    await world.clock.advance(500);
    await lock.release();
    const lost = await locks.acquire('key', { ttl: 100 });
    await world.clock.advance(101);
    await lost.release().catch(() => undefined);
    expect(told).toEqual([
      'acquire success',
      'waited 0',
      'acquire failed',
      'extend success',
      'held 0.5',
      'release success',
      'acquire success',
      'waited 0',
      'lost',
      'release failed',
    ]);
  });

  it('asks for a free key without a place in the queue, also once it has been held and released', async () => {
    const places: (boolean | undefined)[] = [];
    const locks = await world.manager({}, (store) =>
      over(store, {
        acquire(claim, options) {
          places.push(options?.wait);
          return store.acquire(claim, options);
        },
      }),
    );
    for (let turn = 0; turn < 3; turn++) await (await locks.acquire('key')).release();
    expect(places).toEqual([false, false, false]);
  });

  it('ends all waiting on close, aborts the signals of held locks, and refuses what comes later', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key', { autoExtend: true });
    const { signal } = lock;
    const waiting = locks.acquire('key').catch((thrown) => thrown);
    await world.clock.advance(10);
    await locks.close();
    expect(await waiting).toMatchObject({ code: 'DISCO_CLOSED' });
    expect(signal.aborted).toBe(true);
    expect(lock.isValid()).toBe(false);
    await expect(locks.acquire('key')).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
    expect(world.table.size).toBe(1);
  });

  it.each([
    ['an empty key', (locks: LockManager) => locks.acquire('')],
    ['no key', (locks: LockManager) => locks.acquire([])],
    ['a key that is no string', (locks: LockManager) => locks.acquire([7 as never])],
    ['an endless key', (locks: LockManager) => locks.acquire('k'.repeat(1_001))],
    ['a ttl below 100 ms', (locks: LockManager) => locks.acquire('key', { ttl: 99 })],
    ['a ttl above 2³¹−1', (locks: LockManager) => locks.acquire('key', { ttl: 2 ** 31 })],
    ['a ttl of NaN', (locks: LockManager) => locks.acquire('key', { ttl: Number.NaN })],
    ['a ttl with a fraction', (locks: LockManager) => locks.acquire('key', { ttl: 100.5 })],
    ['a negative wait', (locks: LockManager) => locks.tryAcquire('key', { wait: -1 })],
    ['negative replicas', (locks: LockManager) => locks.acquire('key', { minReplicas: -1 })],
    ['a signal that is none', (locks: LockManager) => locks.acquire('key', { signal: {} as never })],
    [
      'options behind the work',
      (locks: LockManager) => locks.using('key', (() => 1) as never, { wait: 0 } as never),
    ],
    ['no work', (locks: LockManager) => locks.using('key', { wait: 0 }, undefined as never)],
    ['no work of a semaphore', (locks: LockManager) => locks.semaphore('key', 1).using({} as never)],
    ['negative permits', async (locks: LockManager) => locks.semaphore('key', -1)],
    ['no permits', async (locks: LockManager) => locks.semaphore('key', 0)],
    ['half a permit', async (locks: LockManager) => locks.semaphore('key', 0.5)],
    ['a nameless semaphore', async (locks: LockManager) => locks.semaphore('', 1)],
    ['a nameless read-write lock', async (locks: LockManager) => locks.readWrite('')],
  ])('refuses %s and locks nothing', async (_what, act) => {
    const locks = await world.manager();
    await expect(act(locks)).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    expect(world.table.size).toBe(0);
  });

  it('refuses before connect', async () => {
    const locks = new LockManager(new MemoryLockStore({ table: world.table }), { clock: world.clock });
    await expect(locks.acquire('key')).rejects.toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
  });

  it('tells who holds a lock, and takes it away: the signal aborts, and the next one has a larger fencing token', async () => {
    const forced: unknown[] = [];
    const [a, b] = [
      await world.manager(),
      await world.manager({ onForcedRelease: (deed) => forced.push(deed) }),
    ];
    const lock = await a.acquire('key');
    const { signal } = lock;
    const waiting = b.acquire('key');
    await settled(world.clock, Promise.resolve());
    expect(await b.inspect('key')).toMatchObject({
      mode: 'exclusive',
      holders: [{ owner: { pid: process.pid } }],
      waiting: 1,
    });
    expect((await b.list({ match: 'k*' })).locks.map(({ key }) => key)).toEqual(['key']);
    expect(await b.forceRelease('key', { by: 'ada' })).toBe(1);
    const next = await settled(world.clock, waiting);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    expect(signal.reason).toMatchObject({ code: 'DISCO_LOCK_LOST' });
    expect(lock.isValid()).toBe(false);
    await expect(lock.release()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    expect(next.isValid()).toBe(true);
    expect(forced).toEqual([{ key: 'key', by: 'ada', holders: 1 }]);
    await next.release();
    expect(await b.forceRelease('key', { by: 'ada' })).toBe(0);
    expect(forced).toHaveLength(1);
  });

  it('lets the next one of the process of a former holder in', async () => {
    const locks = await world.manager({ onForcedRelease: () => undefined });
    const lock = await locks.acquire('key', { autoExtend: true });
    const waiting = locks.acquire('key', { wait: '1m' });
    await settled(world.clock, Promise.resolve());
    expect(await locks.forceRelease('key', { by: 'ada' })).toBe(1);
    const next = await settled(world.clock, waiting);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await next.release();
  });

  it('refuses what nobody can look at or take away, by a typed error', async () => {
    const locks = await world.manager();
    const refusal = { code: 'DISCO_CONFIGURATION' };
    await expect(locks.inspect('')).rejects.toMatchObject(refusal);
    await expect(locks.list({ limit: 0 })).rejects.toMatchObject(refusal);
    await expect(locks.forceRelease('key', {} as never)).rejects.toMatchObject(refusal);
    const plain = await world.manager({}, (store) => ({
      ...over(store, {}),
      introduce: undefined,
      forceRelease: undefined,
    }));
    await expect(plain.inspect('key')).rejects.toMatchObject(refusal);
    await expect(plain.forceRelease('key', { by: 'ada' })).rejects.toMatchObject(refusal);
  });
});
