import { DeadlineWheel, type Wheeled } from '../../../lib/timing/deadline-wheel.js';

/** A clock that goes when it is told to. */
function manual() {
  let nowMs = 1_000;
  const timers = new Map<number, { dueMs: number; callback: () => void }>();
  let last = 0;
  return {
    clock: {
      now: () => nowMs,
      monotonic: () => nowMs,
      setTimeout: (callback: () => void, delayMs: number) => {
        timers.set(++last, { dueMs: nowMs + delayMs, callback });
        return last;
      },
      clearTimeout: (timer: unknown) => void timers.delete(timer as number),
    },
    timers,
    pass: (ms: number) => {
      for (const end = nowMs + ms; nowMs < end; nowMs++) {
        for (const [id, { dueMs, callback }] of timers) {
          if (dueMs > nowMs) continue;
          timers.delete(id);
          callback();
        }
      }
    },
  };
}

const item = (): Wheeled & { times: number } => ({
  times: 0,
  expired() {
    this.times++;
  },
});

describe('DeadlineWheel', () => {
  it('ends each item once, not before its time and little after it', () => {
    const { clock, pass } = manual();
    const wheel = new DeadlineWheel(clock);
    const [short, long, far] = [item(), item(), item()];
    wheel.add(short, 100);
    wheel.add(long, 10_000);
    wheel.add(far, 600_000);
    pass(100);
    expect([short.times, long.times, far.times]).toEqual([0, 0, 0]);
    pass(105);
    expect([short.times, long.times, far.times]).toEqual([1, 0, 0]);
    pass(9_750);
    expect(long.times).toBe(0);
    pass(1_150);
    expect([short.times, long.times, far.times]).toEqual([1, 1, 0]);
    pass(590_000);
    expect(far.times).toBe(0);
    pass(61_000);
    expect(far.times).toBe(1);
  });

  it('leaves alone what was deleted, and lets its timer go when it is empty', () => {
    const { clock, pass, timers } = manual();
    const wheel = new DeadlineWheel(clock);
    const [kept, dropped] = [item(), item()];
    wheel.add(kept, 200);
    wheel.add(dropped, 200);
    wheel.delete(dropped);
    wheel.delete(dropped);
    pass(400);
    expect([kept.times, dropped.times]).toEqual([1, 0]);
    expect(timers.size).toBe(0);
    wheel.add(dropped, 10);
    expect(timers.size).toBe(1);
    pass(120);
    expect(dropped.times).toBe(1);
  });

  it('may be added to by what expires', () => {
    const { clock, pass, timers } = manual();
    const wheel = new DeadlineWheel(clock);
    const later = item();
    wheel.add({ expired: () => wheel.add(later, 20) }, 20);
    pass(300);
    expect(later.times).toBe(1);
    expect(timers.size).toBe(0);
  });

  it('tells what is on it', () => {
    const { clock, pass } = manual();
    const wheel = new DeadlineWheel(clock);
    const [soon, later, dropped] = [item(), item(), item()];
    wheel.add(soon, 20);
    wheel.add(later, 2_000);
    wheel.add(dropped, 20);
    expect(wheel.size).toBe(3);
    expect(new Set(wheel.items())).toEqual(new Set([soon, later, dropped]));
    wheel.delete(dropped);
    wheel.delete(dropped);
    expect([wheel.size, wheel.items()]).toEqual([2, [soon, later]]);
    pass(200);
    expect([wheel.size, wheel.items()]).toEqual([1, [later]]);
  });
});
