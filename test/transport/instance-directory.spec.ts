import type { ReplyObserver } from '../../lib/bus/requests/call.js';
import type { DirectCall } from '../../lib/bus/requests/call-options.js';
import { RequestTimeoutError } from '../../lib/errors/request.errors.js';
import { InstanceDirectory } from '../../lib/transport/instance-directory.js';

/** Access to a bus on which nobody answers; keeps the times that were asked for. */
class SilentBus {
  readonly asked: number[] = [];

  request(topic: string, _payload: unknown, { timeoutMs }: DirectCall, observer: ReplyObserver) {
    this.asked.push(timeoutMs);
    const timer = setTimeout(() => observer.error(new RequestTimeoutError(topic, timeoutMs)), timeoutMs);
    return { cancel: () => clearTimeout(timer) };
  }
}

async function timeOf(finding: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await expect(finding).rejects.toThrow(RequestTimeoutError);
  return performance.now() - startedMs;
}

describe('requests that look for an instance at the same time', () => {
  it.each([
    ['the first has less time', [60, 600]],
    ['the first has more time', [600, 60]],
  ])('share the question, and each keeps to its own time: %s', async (_name, timeouts) => {
    const bus = new SilentBus();
    const directory = new InstanceDirectory();
    const times = await Promise.all(timeouts.map((ms) => timeOf(directory.find(bus as never, 'asked', ms))));
    for (const [at, ms] of times.entries()) expect(ms).toBeGreaterThan(timeouts[at] - 10);
    // Whoever has less time does not wait for the other's.
    expect(Math.min(...times)).toBeLessThan(590);
    // Whoever has more goes on asking for what is left of it.
    // Node's timers may be a millisecond early, which is asked for as well.
    const asked = bus.asked.filter((ms) => ms > 2);
    if (timeouts[0] > timeouts[1]) expect(asked).toEqual([600]);
    else expect(asked).toEqual([60, expect.closeTo(540 - (times[0] - 60), -2)]);
  });

  it('tell the time that the caller gave, however little was left of it', async () => {
    const finding = new InstanceDirectory().find(new SilentBus() as never, 'asked', 1_000, 20);
    await expect(finding).rejects.toMatchObject({ timeoutMs: 1_000 });
  });
});
