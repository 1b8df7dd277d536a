import type { LockClaim, LockStore } from '../../../lib/driver/lock-store.js';
import { LockUnavailableError } from '../../../lib/errors/lock.errors.js';
import { bench, over, settled } from './support.js';

describe('A lock that is passed on inside a process', () => {
  let world: ReturnType<typeof bench>;
  let asked: string[];
  beforeEach(() => {
    world = bench();
    asked = [];
  });
  afterEach(async () => {
    await world.close();
    expect(world.clock.pending).toBe(0);
  });

  /** Notes what the store is asked. */
  const noted = (store: LockStore): LockStore =>
    over(store, {
      acquire: (claim, options) => {
        asked.push(options?.succeeds ? 'succeed' : 'acquire');
        return store.acquire(claim, options);
      },
      extend: (claim) => {
        asked.push('extend');
        return store.extend(claim);
      },
      release: (claim) => {
        asked.push('release');
        return store.release(claim);
      },
    });

  it('goes to those who wait without a word to the store, with rising fencing tokens', async () => {
    const locks = await world.manager({ ttl: '10s' }, noted);
    const first = await locks.acquire('key');
    const waiting = Array.from({ length: 3 }, () => locks.acquire('key'));
    await world.clock.advance(1);
    let last = first;
    for (const next of waiting) {
      await last.release();
      expect(last.isValid()).toBe(false);
      const lock = await next;
      expect(lock.fencingToken).toBe(last.fencingToken + 1n);
      expect(lock.remainingMs()).toBeGreaterThan(9_000);
      last = lock;
    }
    expect(asked).toEqual(['acquire']);
    await expect(first.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    expect(asked).toEqual(['acquire']);
    await last.release();
    expect(world.table.size).toBe(0);
    const later = await locks.acquire('key');
    expect(later.fencingToken).toBeGreaterThan(last.fencingToken);
    await later.release();
  });

  it('is released at the store by its last holder, and only by him', async () => {
    const [locks, others] = [await world.manager({}, noted), await world.manager()];
    const first = await locks.acquire('key');
    const next = locks.acquire('key');
    await world.clock.advance(1);
    await first.release();
    const second = await next;
    await first.release();
    expect(await others.tryAcquire('key')).toBeNull();
    await second.release();
    expect(asked).toEqual(['acquire', 'release']);
    const free = await others.tryAcquire('key');
    expect(free).not.toBeNull();
    await free?.release();
  });

  it('has the time made good by an extension once a fiftieth of it is gone', async () => {
    const locks = await world.manager({ ttl: '10s' }, noted);
    const first = await locks.acquire('key');
    const next = locks.acquire('key');
    await world.clock.advance(500);
    await first.release();
    const second = await next;
    await world.clock.advance(0);
    expect(asked).toEqual(['acquire', 'extend']);
    expect(second.remainingMs()).toBe(10_000 - 100 - 2);
    await second.release();
  });

  const asks = async (ttl: number, held: (clock: typeof world.clock) => Promise<void>) => {
    const locks = await world.manager({ ttl: '10s' }, noted);
    const first = await locks.acquire('key');
    const next = locks.acquire('key', { ttl });
    await held(world.clock);
    await first.release();
    const second = await settled(world.clock, next);
    expect(asked).toContain('succeed');
    expect(second.remainingMs()).toBeGreaterThan(ttl * 0.95);
    await second.release();
  };

  it('is asked for at the store when more than a tenth of its time is gone', () =>
    asks(10_000, (clock) => clock.advance(1_500)));

  it('is asked for at the store when the next one wants it for less time, or for more', async () => {
    await asks(5_000, (clock) => clock.advance(1));
    asked = [];
    await asks(20_000, (clock) => clock.advance(1));
  });

  it('is asked for at the store while an extension is under way or was not answered', async () => {
    const mute = (store: LockStore) =>
      over(noted(store), { extend: () => Promise.reject(new LockUnavailableError('no answer')) });
    const locks = await world.manager({ ttl: '10s' }, mute);
    const first = await locks.acquire('key');
    const next = locks.acquire('key');
    await world.clock.advance(1);
    await expect(first.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
    await first.release();
    await (await settled(world.clock, next)).release();
    expect(asked).toContain('succeed');
  });

  it('is given back when the one it was passed to does not want it any more', async () => {
    const [locks, others] = [await world.manager({}, noted), await world.manager()];
    const first = await locks.acquire('key');
    const controller = new AbortController();
    const next = locks.acquire('key', { signal: controller.signal });
    next.catch(() => undefined);
    await world.clock.advance(1);
    const released = first.release();
    controller.abort();
    await released;
    await expect(next).rejects.toMatchObject({ code: 'DISCO_ABORTED' });
    const free = await settled(world.clock, others.acquire('key', { wait: 1_000 }));
    await free.release();
    expect(world.table.size).toBe(0);
  });

  it('leaves no place in the queue of the store to one who took it over', async () => {
    const tokens: LockClaim[] = [];
    const slow = (store: LockStore) =>
      over(store, {
        acquire: async (claim, options) => {
          tokens.push(claim);
          return store.acquire(claim, options);
        },
      });
    const [locks, others] = [await world.manager({}, slow), await world.manager()];
    // Both ask, as neither is known to hold it yet.
    const [one, two] = [locks.acquire('key'), locks.acquire('key')];
    const first = await one;
    await world.clock.advance(1);
    await first.release();
    await (await settled(world.clock, two)).release();
    expect(tokens.length).toBeGreaterThanOrEqual(2);
    await (await settled(world.clock, others.acquire('key', { wait: 100 }))).release();
    expect(world.table.size).toBe(0);
  });
});

describe('An extension to a shorter time', () => {
  it('ends validity then, whether or not its answer comes', async () => {
    const world = bench();
    const mute = (store: LockStore) =>
      over(store, {
        extend: async (claim) => {
          await store.extend(claim);
          throw new LockUnavailableError('the answer is lost');
        },
      });
    const locks = await world.manager({ ttl: '10s' }, mute);
    const lock = await locks.acquire('key');
    const { signal } = lock;
    await expect(lock.extend(1_000)).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
    expect(lock.remainingMs()).toBe(1_000 - 10 - 2);
    await world.clock.advance(990);
    expect(signal.aborted).toBe(true);
    expect(lock.isValid()).toBe(false);
    await world.close();
  });
});
