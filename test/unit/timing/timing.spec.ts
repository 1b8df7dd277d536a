import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { backoffDelay, resolveBackoff } from '../../../lib/timing/backoff.js';
import { sleep } from '../../../lib/timing/clock.js';
import { DeadlineQueue } from '../../../lib/timing/deadline-queue.js';
import { MAX_DURATION_MS, toMilliseconds } from '../../../lib/timing/duration.js';

describe('durations', () => {
  it.each([
    [250, 250],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    [0, 0],
  ])('%p is %i ms', (duration, ms) => {
    expect(toMilliseconds(duration, 'x')).toBe(ms);
  });

  it.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '5',
    '5 s',
    's',
    '-5s',
    '',
    null,
    {},
    '1e3s',
    MAX_DURATION_MS + 1,
    '25d',
  ])('refuses %p', (duration) => {
    expect(() => toMilliseconds(duration, 'timeout')).toThrow(
      expect.objectContaining({ code: 'DISCO_CONFIGURATION', message: expect.stringContaining('timeout') }),
    );
  });

  it('keeps its bounds', () => {
    expect(() => toMilliseconds(0, 'x', { minMs: 1 })).toThrow();
    expect(() => toMilliseconds(11, 'x', { maxMs: 10 })).toThrow();
  });
});

describe('backoff', () => {
  it('doubles up to its limit', () => {
    const backoff = resolveBackoff({ delay: 100, max: 1_000, jitter: false });
    expect([1, 2, 3, 4, 5, 99].map((attempt) => backoffDelay(backoff, attempt))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it('stays when fixed, and within its half when jittered', () => {
    expect(backoffDelay(resolveBackoff({ type: 'fixed', delay: 100, jitter: false }), 9)).toBe(100);
    const jittered = resolveBackoff({ type: 'fixed', delay: 100 });
    expect(backoffDelay(jittered, 1, () => 0)).toBe(50);
    expect(backoffDelay(jittered, 1, () => 1)).toBe(100);
  });

  it.each(['fixed', 'exponential'] as const)(
    'waits as long as a %s delay says, beyond the usual longest wait',
    (type) => {
      const backoff = resolveBackoff({ type, delay: '1h', jitter: false });
      expect([1, 2].map((attempt) => backoffDelay(backoff, attempt))).toEqual([3_600_000, 3_600_000]);
    },
  );

  it('goes by a longest wait below the usual delay, and by what is usual for its place', () => {
    expect(resolveBackoff({ max: 50 })).toMatchObject({ delayMs: 50, maxMs: 50 });
    const usual = { delay: 20, max: 100 };
    expect(resolveBackoff({}, 'x', usual)).toMatchObject({ delayMs: 20, maxMs: 100 });
    expect(resolveBackoff({ delay: 200 }, 'x', usual)).toMatchObject({ delayMs: 200, maxMs: 200 });
  });

  it('refuses a delay above the longest wait, both given', () => {
    expect(resolveBackoff({ delay: '1m', max: '1m' })).toMatchObject({ delayMs: 60_000, maxMs: 60_000 });
    expect(() => resolveBackoff({ delay: '1m', max: '30s' }, 'retry.backoff')).toThrow(
      'retry.backoff.delay (60000 ms) is longer than retry.backoff.max (30000 ms)',
    );
  });

  it('refuses an unknown type', () => {
    expect(() => resolveBackoff({ type: 'linear' as 'fixed' })).toThrow(
      expect.objectContaining({ code: 'DISCO_CONFIGURATION' }),
    );
  });
});

describe('DeadlineQueue', () => {
  it('calls what is due, in order, and nothing that was cancelled', async () => {
    const clock = new ManualClock();
    const queue = new DeadlineQueue(100, clock);
    const called: string[] = [];
    queue.add(() => called.push('a'));
    const cancelled = queue.add(() => called.push('never'));
    await clock.advance(50);
    queue.add(() => called.push('b'));
    cancelled.cancel();
    await clock.advance(49);
    expect(called).toEqual([]);
    await clock.advance(1);
    expect(called).toEqual(['a']);
    await clock.advance(50);
    expect(called).toEqual(['a', 'b']);
    queue.add(() => called.push('c'));
    await clock.advance(100);
    expect(called).toEqual(['a', 'b', 'c']);
  });

  it('forgets everything when cleared', async () => {
    const clock = new ManualClock();
    const queue = new DeadlineQueue(100, clock);
    const expired = jest.fn();
    queue.add(expired);
    queue.clear();
    await clock.advance(1_000);
    expect(expired).not.toHaveBeenCalled();
  });
});

describe('sleep', () => {
  it('ends early when aborted, and at once when already aborted', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleeping = sleep(1_000, clock, controller.signal);
    controller.abort();
    await sleeping;
    await sleep(1_000, clock, controller.signal);
  });
});
