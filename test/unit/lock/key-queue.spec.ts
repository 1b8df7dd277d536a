import type { LockClaim } from '../../../lib/driver/lock-store.js';
import { KeyQueue, KeyQueues } from '../../../lib/lock/key-queue.js';
import { LockValidity } from '../../../lib/lock/lock-validity.js';
import { LockWaiter } from '../../../lib/lock/lock-waiter.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const claim = (changes: Partial<LockClaim> = {}): LockClaim => ({
  keys: ['key'],
  token: '0'.repeat(32),
  mode: 'exclusive',
  permits: 0,
  ttlMs: 1_000,
  ...changes,
});

describe('The queue of a key', () => {
  let clock: ManualClock;
  let queue: KeyQueue;
  beforeEach(() => {
    clock = new ManualClock();
    queue = new KeyQueue();
  });
  afterEach(() => expect(clock.pending).toBe(0));

  const waiter = () => new LockWaiter(claim(), clock, true);
  const validity = (ttlMs = 1_000) => new LockValidity(clock, clock.monotonic(), ttlMs);
  const entered = (count: number) =>
    Array.from({ length: count }, () => {
      const one = waiter();
      queue.enter(one);
      return one;
    });
  /** Whether `one` was woken since it last slept. */
  const isWoken = async (one: LockWaiter) => {
    let woken = false;
    const slept = one.pause(1).then(() => {
      woken = true;
    });
    await Promise.resolve();
    const before = woken;
    await clock.advance(1);
    await slept;
    return before;
  };

  describe('asking at once', () => {
    it('is for one at a time', () => {
      expect(queue.beginAsking()).toBe(true);
      expect(queue.unused).toBe(false);
      expect(queue.beginAsking()).toBe(false);
      expect(queue.beginAsking()).toBe(false);
      queue.endAsking();
      expect(queue.unused).toBe(true);
      expect(queue.beginAsking()).toBe(true);
    });

    it('ends with a place behind those who came meanwhile', () => {
      const asker = waiter();
      queue.beginAsking();
      const [quicker] = entered(1);
      queue.enter(asker);
      expect(queue.isFirst(quicker)).toBe(true);
      queue.leave(quicker);
      expect(queue.isFirst(asker)).toBe(true);
      queue.leave(asker);
      queue.endAsking();
      expect(queue.unused).toBe(true);
    });

    it('is not for a key that somebody here holds or wants, until that has ended', async () => {
      queue.hold(validity(), false);
      expect(queue.beginAsking()).toBe(false);
      await clock.advance(1_000);
      const [first] = entered(1);
      expect(queue.beginAsking()).toBe(false);
      queue.leave(first);
      expect(queue.beginAsking()).toBe(true);
    });

    it('is not for a key that was held elsewhere, until it is found free', () => {
      queue.found(false);
      expect([queue.unused, queue.empty]).toEqual([true, false]);
      expect(queue.beginAsking()).toBe(false);
      queue.found(true);
      expect(queue.beginAsking()).toBe(true);
    });
  });

  describe('waiting', () => {
    it('is in the order of entering, and wakes the next one when the first leaves', async () => {
      const [first, second, third] = entered(3);
      expect([first, second, third].map((one) => queue.isFirst(one))).toEqual([true, false, false]);
      queue.leave(first);
      expect(queue.isFirst(second)).toBe(true);
      expect([await isWoken(second), await isWoken(third)]).toEqual([true, false]);
    });

    it('wakes nobody when one further back leaves', async () => {
      const [first, second, third] = entered(3);
      queue.leave(second);
      expect(queue.isFirst(first)).toBe(true);
      expect([await isWoken(first), await isWoken(third)]).toEqual([false, false]);
    });
  });

  describe('handing over', () => {
    it('is from the holder to the first waiter, once', () => {
      const [first] = entered(2);
      const held = validity();
      queue.hold(held, false);
      expect(queue.heldMs()).toBe(1_000 - 12);
      expect(queue.vacate(held)).toBe(first);
      expect(queue.heldMs()).toBe(0);
      expect(queue.vacate(held)).toBeUndefined();
    });

    it('is not for one who does not hold any more', () => {
      entered(1);
      const [former, present] = [validity(), validity()];
      queue.hold(former, false);
      queue.hold(present, false);
      expect(queue.vacate(former)).toBeUndefined();
      expect(queue.heldMs()).toBeGreaterThan(0);
    });

    it('goes to nobody where nobody waits', () => {
      const held = validity();
      queue.hold(held, false);
      expect(queue.vacate(held)).toBeUndefined();
      expect(queue.unused).toBe(true);
    });

    it('happens 16 times in a row; then the store has its turn, and the count begins anew', () => {
      const [first] = entered(1);
      const handOver = (handedOver: boolean) => {
        const held = validity();
        queue.hold(held, handedOver);
        return queue.vacate(held);
      };
      expect(handOver(false)).toBe(first);
      for (let count = 1; count < 16; count++) expect(handOver(true)).toBe(first);
      expect(handOver(true)).toBeUndefined();
      expect(handOver(false)).toBe(first);
    });
  });
});

describe('The queues of a process', () => {
  it('are one for each key that is wanted alone, exclusively and in the order of the process', () => {
    const queues = new KeyQueues();
    const queue = queues.for(claim(), false);
    expect(queue).toBeInstanceOf(KeyQueue);
    expect(queues.for(claim({ token: '1'.repeat(32) }), false)).toBe(queue);
    expect(queues.at('key')).toBe(queue);
    expect(queues.for(claim({ keys: ['other'] }), false)).not.toBe(queue);
    expect(queues.for(claim(), true)).toBeUndefined();
    expect(queues.for(claim({ mode: 'shared' }), false)).toBeUndefined();
    expect(queues.for(claim({ keys: ['a', 'b'] }), false)).toBeUndefined();
    expect(queues.at('a')).toBeUndefined();
  });

  it('are forgotten only when there is nothing to know of the key', () => {
    const clock = new ManualClock();
    const queues = new KeyQueues();
    const queue = queues.for(claim(), false)!;
    const isKept = () => {
      queues.tidy('key');
      return queues.at('key') === queue;
    };
    const [asker, held] = [new LockWaiter(claim(), clock, true), new LockValidity(clock, 0, 1_000)];
    queue.beginAsking();
    expect(isKept()).toBe(true);
    queue.endAsking();
    queue.enter(asker);
    expect(isKept()).toBe(true);
    queue.leave(asker);
    queue.hold(held, false);
    expect(isKept()).toBe(true);
    queue.vacate(held);
    queue.found(false);
    expect(isKept()).toBe(true);
    queue.found(true);
    expect(isKept()).toBe(false);
  });

  it('do not grow with keys whose locks ran out or that were busy, and keep those in use', async () => {
    const clock = new ManualClock();
    const queues = new KeyQueues();
    const keyOf = (index: number) => `key ${index}`;
    const add = (index: number) => queues.for(claim({ keys: [keyOf(index)] }), false)!;
    const used = add(-1);
    used.enter(new LockWaiter(claim(), clock, true));
    for (let index = 0; index < 10_000; index++) {
      if (index % 2) add(index).found(false);
      else add(index).hold(new LockValidity(clock, clock.monotonic(), 100), false);
      if (index % 100 === 0) await clock.advance(100);
    }
    const kept = Array.from({ length: 10_000 }, (_, index) => queues.at(keyOf(index))).filter(Boolean);
    expect(kept.length).toBeLessThan(1_200);
    expect(queues.at(keyOf(-1))).toBe(used);
  });
});
