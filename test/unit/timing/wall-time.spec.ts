import { WallTime } from '../../../lib/timing/wall-time.js';

describe('WallTime', () => {
  const clock = {
    wallMs: 1_000_000,
    monotonicMs: 50,
    now: () => clock.wallMs,
    monotonic: () => clock.monotonicMs,
    setTimeout: () => undefined,
    clearTimeout: () => {},
  };
  const pass = (ms: number) => {
    clock.wallMs += ms;
    clock.monotonicMs += ms;
  };

  it('tells the wall-clock time of a moment on the monotonic clock', () => {
    const time = new WallTime(clock);
    expect(time.at(clock.monotonic())).toBe(clock.wallMs);
    pass(37);
    expect(time.at(clock.monotonic())).toBe(clock.wallMs);
  });

  it('follows a jump of the wall clock within a second', () => {
    const time = new WallTime(clock);
    time.at(clock.monotonic());
    clock.wallMs -= 3_600_000;
    pass(1_001);
    expect(time.at(clock.monotonic())).toBe(clock.wallMs);
  });
});
