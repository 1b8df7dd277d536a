import type { LockClaim } from '../../../lib/driver/lock-store.js';
import { LockWaiter } from '../../../lib/lock/lock-waiter.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const claim: LockClaim = {
  keys: ['key'],
  token: '0'.repeat(32),
  mode: 'exclusive',
  permits: 0,
  ttlMs: 1_000,
};
const passed = {
  claim: { ...claim, token: '1'.repeat(32) },
  fencingToken: 7n,
  spareTokens: 3,
  sinceMs: 0,
  ttlMs: 1_000,
};
const hint = { token: claim.token, grant: { fencingToken: 9n, ttlMs: 500, ageMs: 20 } };
const never = new Promise<never>(() => undefined);

describe('One who waits for a lock', () => {
  let clock: ManualClock;
  let waiter: LockWaiter;
  beforeEach(() => {
    clock = new ManualClock();
    waiter = new LockWaiter(claim, clock, true);
  });
  afterEach(() => expect(clock.pending).toBe(0));

  /** Whether `promise` is settled before time goes on. */
  const isSettled = async (promise: Promise<unknown>) => {
    let settled = false;
    void promise.finally(() => {
      settled = true;
    });
    await clock.advance(0);
    return settled;
  };

  it('sleeps for its time, or until woken', async () => {
    const whole = waiter.pause(100);
    await clock.advance(99);
    expect(await isSettled(whole)).toBe(false);
    await clock.advance(1);
    expect(await isSettled(whole)).toBe(true);
    const short = waiter.pause(100);
    waiter.wake();
    expect(await isSettled(short)).toBe(true);
  });

  it('does not sleep when something happened while it was awake, but does the next time', async () => {
    waiter.wake();
    expect(await isSettled(waiter.pause(100))).toBe(true);
    const next = waiter.pause(100);
    expect(await isSettled(next)).toBe(false);
    await clock.advance(100);
    await next;
  });

  it('waits for an answer as long as is left, or until stopped, and is not kept by a wake', async () => {
    expect(await waiter.answerOf(Promise.resolve(1), 100)).toBe(1);
    await expect(waiter.answerOf(Promise.reject(new Error('no')), 100)).rejects.toThrow('no');
    const late = waiter.answerOf(never, 100);
    waiter.wake();
    expect(await isSettled(late)).toBe(false);
    await clock.advance(100);
    expect(await late).toBeUndefined();
    const stopped = waiter.answerOf(never, 100);
    waiter.stop();
    expect(await stopped).toBeUndefined();
  });

  it('sets no timer for an answer where it has time enough, and can be stopped all the same', async () => {
    const answer = waiter.answerOf(never, 5_000);
    expect(clock.pending).toBe(0);
    waiter.stop();
    expect(await answer).toBeUndefined();
  });

  it('can be stopped while it waits for a second answer, though the first came late', async () => {
    let answer = (_: number) => {};
    const first = waiter.answerOf(
      new Promise<number>((resolve) => {
        answer = resolve;
      }),
      10,
    );
    await clock.advance(10);
    expect(await first).toBeUndefined();
    const second = waiter.answerOf(never, 5_000);
    answer(1);
    await clock.advance(0);
    waiter.stop();
    expect(await isSettled(second)).toBe(true);
  });

  it('is given what the store pushed, counted from when the store gave it, once', async () => {
    await clock.advance(50);
    waiter.hint(hint);
    expect(waiter.takeGrant()).toEqual({
      claim,
      fencingToken: 9n,
      spareTokens: 0,
      ttlMs: 500,
      sinceMs: clock.monotonic() - 20,
    });
    expect(waiter.takeGrant()).toBeUndefined();
  });

  it('is only woken by a hint without a grant', async () => {
    waiter.hint({});
    expect(waiter.takeGrant()).toBeUndefined();
    expect(await isSettled(waiter.pause(100))).toBe(true);
  });

  it('keeps a lock that was passed to it whether a push comes before or after', () => {
    waiter.hint(hint);
    waiter.pass(passed);
    expect(waiter.takeGrant()).toBe(passed);
    waiter.pass(passed);
    waiter.hint(hint);
    expect(waiter.takeGrant()).toBe(passed);
  });

  it('tells the holder what came of its offer', async () => {
    for (const outcome of [true, false, undefined]) {
      const told = waiter.offer('token');
      const offer = waiter.takeOffer();
      expect(offer?.token).toBe('token');
      expect(waiter.takeOffer()).toBeUndefined();
      offer?.settle(outcome);
      expect(await told).toBe(outcome);
    }
    const failed = waiter.offer('token');
    waiter.takeOffer()?.settle(new Error('no'));
    await expect(failed).rejects.toThrow('no');
    expect(await isSettled(waiter.pause(100))).toBe(true);
  });
});
