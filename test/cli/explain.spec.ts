import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { ConsumerProcess, Journal } from '../faults/streams-processes.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus explain', () => {
  const releases: (() => void)[] = [];
  afterEach(async () => {
    for (const release of releases.splice(0)) release();
    await stage.admin.config('SET', 'maxmemory', '0');
  });
  const stage = cliStage();
  const { cli, services } = stage;

  /** A handler that ends with the test. */
  const endless = () => new Promise<void>((resolve) => releases.push(resolve));
  const runs = (bus: DiscoBus, count: number) =>
    until(
      'its members report that',
      async () => (await bus.inspect.group('orders', 'shop'))?.running === count,
    );

  /** The reasons by name. */
  async function reasons(...args: string[]): Promise<Record<string, { text: string; command?: string }>> {
    const { reasons: found } = await cli.ask('explain', 'orders', 'shop', ...args);
    return Object.fromEntries(found.map(({ reason, ...told }: any) => [reason, told]));
  }

  it('nothing: the group is done with everything', async () => {
    const bus = await services.start('shop');
    let handled = 0;
    await bus.subscribe('orders', () => void handled++);
    await bus.publish('orders', 1);
    await until('it is settled', async () => {
      const group = await bus.inspect.group('orders', 'shop');
      return handled === 1 && group?.held === 0 && group.waiting === 0;
    });
    expect(Object.keys(await reasons())).toEqual(['nothing']);
  });

  it('paused, and the command that resumes it', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders', () => undefined);
    await bus.admin.pauseGroup('orders', 'shop');
    await bus.publish('orders', 1);
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['paused']);
    expect(found.paused.command).toBe('disco-bus groups resume orders shop');
  });

  it('no member, and a text that says since when', async () => {
    await services.group('orders', 'shop');
    await (await services.start('publisher')).publish('orders', 1);
    const found = await reasons('--prefix', 'disco');
    expect(Object.keys(found)).toEqual(['no-member']);
    expect(found['no-member']).toMatchObject({
      text: expect.stringMatching(/^No process reads the group, and it was last read at 20/),
      command: 'disco-bus groups rm orders shop --discard',
    });
    const { stdout } = await cli.run(['explain', 'orders', 'shop']);
    expect(stdout).toMatch(/^"orders", group "shop": 1 message to handle \(1 waiting, 0 held/);
    expect(stdout).toContain('\n  $ disco-bus groups rm orders shop --discard\n');
  });

  it('busy: all places run; limited: as operators have set', async () => {
    const bus = await services.start('shop', { bundling: false });
    await bus.subscribe('orders', endless, { concurrency: 2, prefetch: 1 });
    for (let n = 0; n < 5; n++) await bus.publish('orders', n);
    await runs(bus, 2);
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['busy']);
    expect(found.busy.text).toMatch(/2 handlers of 1 member run, the longest for .*, and 3 messages wait/);
    await bus.admin.limitGroup('orders', 'shop', 1);
    const limited = await reasons();
    expect(Object.keys(limited)).toEqual(['limited', 'busy']);
    expect(limited.limited.text).toContain('at most 1 message at a time');
    expect(limited.limited.command).toBe('disco-bus groups limit orders shop none');
  });

  it('running: all that is left is being handled', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders', endless);
    await bus.publish('orders', 1);
    await runs(bus, 1);
    expect(Object.keys(await reasons())).toEqual(['running']);
  });

  it('retry: it failed, and is due later', async () => {
    const bus = await services.start('shop');
    const fail = () => {
      throw new Error('not now');
    };
    await bus.subscribe('orders', fail, { retry: { attempts: 3, backoff: { delay: '1h', max: '1h' } } });
    await bus.publish('orders', 1);
    await until('it waits', async () => (await bus.inspect.group('orders', 'shop'))?.retries === 1);
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['retry']);
    expect(found.retry.text).toMatch(/1 message failed .* due at 20.*Z, in (59m|1h|\d)/);
  });

  it('dead letters: it was given up', async () => {
    const bus = await services.start('shop');
    const fail = () => {
      throw new Error('never');
    };
    await bus.subscribe('orders', fail, { retry: false });
    await bus.publish('orders', 1);
    await until('it is dead', async () => (await bus.deadLetters('orders').count()) === 1);
    const found = await reasons();
    expect(found['dead-letters']).toMatchObject({
      text: expect.stringContaining('attempts 1'),
      command: 'disco-bus dead list orders shop',
    });
  });

  it('ordered: one member reads while others stand by', async () => {
    const [one, other] = [await services.start('shop'), await services.start('shop')];
    await one.subscribe('orders', endless, { orderBy: 'key' });
    await other.subscribe('orders', endless, { orderBy: 'key' });
    for (const n of [1, 2]) await one.publish('orders', n, { key: 'k' });
    await runs(one, 1);
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['ordered', 'busy']);
    expect(found.ordered.text).toMatch(/only shop@.* reads.*; 1 other member stand by/);
  });

  it('suspect: it may have ended a process, and is tried alone', async () => {
    const claimAfterMs = 1_000;
    const bus = await services.start('shop', { bundling: false }, { streams: { claimAfter: claimAfterMs } });
    const journal = new Journal();
    const worker = ConsumerProcess.start(
      {
        ...{ url: stage.server.url, topic: 'orders', group: 'shop', claimAfterMs },
        ...{ concurrency: 2, prefetch: 2, workMs: 60_000, retryDelayMs: 100 },
      },
      journal,
    );
    await worker.ready;
    for (const n of [0, 1]) await bus.publish('orders', { n });
    await until('both have begun', () => journal.begun.size === 2);
    await worker.kill();
    await until('its death is noticed', async () => 'dead-member' in (await reasons()));
    await bus.subscribe('orders', endless);
    await until('one is tried', async () => (await bus.inspect.group('orders', 'shop'))?.running === 1);
    const found = await reasons();
    expect(found.suspect.text).toMatch(
      /2 messages may have ended a process \(the first at .*1 of them ended/,
    );
  });

  it('delayed: it is not due; overdue: nobody moves it', async () => {
    await services.group('orders', 'shop');
    const bus = await services.start('publisher');
    await bus.publish('orders', 1, { delay: '1h' });
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['no-member', 'delayed']);
    expect(found.delayed.text).toMatch(/1 message were published with a delay; .* in (59m|1h)/);
    await bus.stop();
    const [id] = await stage.admin.zrange('disco:{orders}:later', '0', '0');
    await stage.admin.zadd('disco:{orders}:later', Date.now() - 60_000, id);
    expect(Object.keys(await reasons())).toEqual(['no-member', 'overdue']);
  });

  it('full: the topic, or the server', async () => {
    await services.group('orders', 'shop');
    const driver = { streams: { maxLength: 2 } };
    const bus = await services.start('publisher', { bundling: false }, driver);
    for (const n of [1, 2]) await bus.publish('orders', n);
    expect((await reasons('--max-length', '2')).full.text).toContain('it has 2 of 2 entries');
    await stage.admin.config('SET', 'maxmemory', '1mb');
    expect((await reasons()).full.text).toContain('no memory left');
  });

  it('another guarantee: who uses the topic so, though nothing is stored', async () => {
    const bus = await services.start('ticker');
    await bus.subscribe('orders', () => undefined, { delivery: 'at-most-once' });
    const found = await reasons();
    expect(found['another-guarantee'].text).toMatch(/"orders" is used at most once by service "ticker"/);
    expect((await cli.run(['explain', 'nothing', 'shop'])).exitCode).toBe(3);
  });
});
