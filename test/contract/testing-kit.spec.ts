import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { memoryDriver } from '../../lib/drivers/memory/index.js';
import { ChaosDriver, type ChaosRules } from '../../lib/testing/chaos-driver.js';
import { type ContractRunner, globalRunner } from '../../lib/testing/contract/contract-runner.js';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

describe('ManualClock', () => {
  it('runs what is due in order of time, and of setting where due at once', async () => {
    const clock = new ManualClock(1_000);
    const ran: string[] = [];
    const at = (name: string, delayMs: number) =>
      clock.setTimeout(() => ran.push(`${name}@${clock.monotonic()}`), delayMs);
    at('late', 30);
    at('first', 10);
    at('second', 10);
    at('negative', -5);
    clock.clearTimeout(at('cancelled', 5));
    clock.clearTimeout(undefined);
    await clock.advance(29);
    expect(ran).toEqual(['negative@0', 'first@10', 'second@10']);
    await clock.advance(1);
    expect(ran.at(-1)).toBe('late@30');
    expect([clock.now(), clock.monotonic(), clock.pending]).toEqual([1_030, 30, 0]);
  });

  it('lets promises settle between timers, and runs timers that they set on the way', async () => {
    const clock = new ManualClock();
    const ran: number[] = [];
    const tick = async () => {
      await Promise.resolve();
      ran.push(clock.monotonic());
      if (ran.length < 4) clock.setTimeout(() => void tick(), 10);
    };
    clock.setTimeout(() => void tick(), 10);
    await clock.advance(35);
    expect(ran).toEqual([10, 20, 30]);
  });

  it('rejects when a callback throws', async () => {
    const clock = new ManualClock();
    clock.setTimeout(() => {
      throw new Error('thrown');
    }, 1);
    await expect(clock.advance(1)).rejects.toThrow('thrown');
  });
});

describe('ChaosDriver', () => {
  async function play(rules: ChaosRules, delivery: 'at-most-once' | 'at-least-once' = 'at-most-once') {
    const clock = new ManualClock();
    const driver = new ChaosDriver(memoryDriver({ clock }), { clock, ...rules });
    await driver.connect();
    const received: string[] = [];
    const options = { delivery, group: 'g', maxInFlight: 1_000, startFrom: 'new' } as const;
    await driver.subscribe('t', options, (given) => {
      received.push(Buffer.from(given.frame).toString());
      void given.ack();
    });
    const rejected: string[] = [];
    const publishing = Array.from({ length: 200 }, (_, index) =>
      driver
        .publish('t', Buffer.from(`${index}`), { delivery, id: `${index}`, timeoutMs: 1_000 })
        .catch((error: { code: string }) => void rejected.push(`${index} ${error.code}`)),
    );
    await clock.advance(100);
    await Promise.all(publishing);
    await driver.close();
    return { counts: driver.counts, received, rejected };
  }

  it('without rules changes nothing', async () => {
    const { received, rejected, counts } = await play({});
    expect(received).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
    expect([rejected, Object.values(counts)]).toEqual([[], [0, 0, 0, 0, 0]]);
  });

  it('fails publishes that then are not sent', async () => {
    const { received, rejected, counts } = await play({ fail: 0.3 });
    expect(counts.failed).toBeGreaterThan(20);
    expect(rejected).toHaveLength(counts.failed);
    expect(received).toHaveLength(200 - counts.failed);
    expect(rejected[0]).toMatch(/ DISCO_DRIVER$/);
  });

  it('loses confirmations of publishes that were sent', async () => {
    const { received, rejected, counts } = await play({ unconfirmed: 0.3 });
    expect(counts.unconfirmed).toBeGreaterThan(20);
    expect(rejected).toHaveLength(counts.unconfirmed);
    expect(received).toHaveLength(200);
    expect(rejected[0]).toMatch(/ DISCO_PUBLISH_OUTCOME_UNKNOWN$/);
  });

  it('drops, duplicates and delays', async () => {
    const { received, counts } = await play({ drop: 0.2, duplicate: 0.2, delay: 0.5, maxDelayMs: 90 });
    expect(Math.min(counts.dropped, counts.duplicated, counts.delayed)).toBeGreaterThan(20);
    expect(received).toHaveLength(200 - counts.dropped + counts.duplicated);
    expect([...received].sort((a, b) => +a - +b)).not.toEqual(received);
  });

  it('does not drop what is kept', async () => {
    const { received, counts } = await play({ drop: 1 }, 'at-least-once');
    expect([counts.dropped, received.length]).toEqual([0, 200]);
  });

  it('does the same for the same seed, and something else for another', async () => {
    const rules = { drop: 0.3, duplicate: 0.3 };
    const [one, same, other] = [await play(rules), await play(rules), await play({ ...rules, seed: 2 })];
    expect(same).toEqual(one);
    expect(other.received).not.toEqual(one.received);
  });
});

describe('the contract suite', () => {
  const registered = (run: (runner: ContractRunner) => void) => {
    const titles: string[] = [];
    const register = (title: string) => void titles.push(title);
    const it = Object.assign(register, { skip: (title: string) => register(`skip ${title}`) });
    run({ describe: (_, body) => body(), it });
    return titles;
  };

  it('says in the title of a skipped case what is lacking', () => {
    const titles = registered((runner) =>
      describeDriver('x', { createDriver: () => memoryDriver(), guarantees: ['at-most-once'] }, runner),
    );
    expect(titles).toContainEqual(expect.stringMatching(/^skip W16 .* \(skipped: no capability groups\)$/));
    expect(titles).toContainEqual(expect.stringMatching(/^W11 /));
  });

  it('names what is missing: capabilities where making a driver takes time, a guarantee, a runner', () => {
    const runs = (harness: Parameters<typeof describeDriver>[1]) => () =>
      registered((runner) => describeDriver('x', harness, runner));
    expect(runs({ createDriver: async () => memoryDriver() })).toThrow(/capabilities/);
    const createDriver = () => memoryDriver();
    expect(runs({ createDriver, capabilities: {}, guarantees: ['at-most-once'] })).toThrow(/at-most-once/);
    const { describe: kept } = globalThis;
    Object.assign(globalThis, { describe: undefined });
    try {
      expect(globalRunner).toThrow(/describe/);
    } finally {
      Object.assign(globalThis, { describe: kept });
    }
  });

  it('runs under node:test in one line', async () => {
    const script = `
      import { describe, it } from 'node:test';
      import { describeDriver, ManualClock } from './lib/testing/index.ts';
      import { memoryDriver, MemoryBroker } from './lib/drivers/memory/index.ts';
      const clock = new ManualClock();
      const broker = new MemoryBroker({ clock });
      describeDriver('memory', { createDriver: () => memoryDriver({ broker }), visibilityMs: 30_000, clock }, { describe, it });`;
    // Which reporter is the default depends on the version of Node.
    const flags = ['--test-reporter=tap', '--import', '@swc-node/register/esm-register'];
    const args = [...flags, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH } });
    expect(stdout).toMatch(/^# fail 0$/m);
    expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(90);
  }, 60_000);
});
