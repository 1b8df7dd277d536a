import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { type ConsumerConfig, ConsumerProcess, Journal } from '../faults/streams-processes.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus explain', () => {
  const releases: (() => void)[] = [];
  const workers: ConsumerProcess[] = [];
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.kill()));
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

  /** A member of the group in a process of its own, which reads what is there and handles it for a minute. */
  async function startWorker(config: Partial<ConsumerConfig> = {}) {
    const journal = new Journal();
    const worker = ConsumerProcess.start(
      {
        ...{ url: stage.server.url, topic: 'orders', group: 'shop', claimAfterMs: 1_000 },
        ...{ concurrency: 2, prefetch: 0, workMs: 60_000, retryDelayMs: 100, ...config },
      },
      journal,
    );
    workers.push(worker);
    await worker.ready;
    return { worker, journal };
  }

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

  it('reading: a member is alive, and about to handle what came', async () => {
    const bus = await services.start('publisher');
    const { worker, journal } = await startWorker({ claimAfterMs: 60_000, workMs: 0 });
    worker.signalWith('SIGSTOP');
    await bus.publish('orders', { n: 0 });
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['reading']);
    expect(found.reading.text).toMatch(/^Members are alive and look after the group.*nothing hinders them/);
    expect(journal.begun.size).toBe(0);
    worker.signalWith('SIGCONT');
    await until('it is handled', () => journal.done.size === 1);
    await until('that is settled', async () => (await bus.inspect.group('orders', 'shop'))?.held === 0);
    expect(Object.keys(await reasons())).toEqual(['nothing']);
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

  it('dead-member: a process ended with messages in hand', async () => {
    const bus = await services.start('publisher', { bundling: false });
    const { worker, journal } = await startWorker();
    for (const n of [0, 1, 2]) await bus.publish('orders', { n });
    await until('two are in hand', () => journal.begun.size === 2);
    expect(Object.keys(await reasons())).not.toContain('dead-member');
    await worker.kill();
    expect(worker.signal).toBe('SIGKILL');
    await until('its death is noticed', async () => 'dead-member' in (await reasons()));
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['no-member', 'dead-member']);
    expect(found['dead-member'].text).toMatch(/not heard of any more hold messages: \S+ \(2\)\./);
  });

  it('ordered: the one member that read is gone, with messages in hand', async () => {
    const bus = await services.start('publisher');
    const { worker, journal } = await startWorker({ orderBy: 'key' });
    for (const n of [0, 1]) await bus.publish('orders', { n }, { key: 'k' });
    await until('the first is in hand', () => journal.begun.size === 1);
    await until('it alone reads', async () => /only \S+ reads/.test((await reasons()).ordered?.text ?? ''));
    await worker.kill();
    expect(worker.signal).toBe('SIGKILL');
    const gone =
      /^The order of keys is kept, and (\S+), which alone could read, is not heard of since .*another follows/;
    await until('its turn is over', async () => gone.test((await reasons()).ordered?.text ?? ''));
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['no-member', 'dead-member', 'ordered']);
    const [, reader] = gone.exec(found.ordered.text) ?? [];
    expect(found['dead-member'].text).toContain(`hold messages: ${reader} (`);
  });

  it('suspect: it may have ended a process, and is tried alone', async () => {
    const claimAfterMs = 1_000;
    const bus = await services.start('shop', { bundling: false }, { streams: { claimAfter: claimAfterMs } });
    const { worker, journal } = await startWorker({ claimAfterMs, prefetch: 2 });
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

  it('delayed: it is not due', async () => {
    await services.group('orders', 'shop');
    const bus = await services.start('publisher');
    await bus.publish('orders', 1, { delay: '1h' });
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['no-member', 'delayed']);
    expect(found.delayed.text).toMatch(/1 message were published with a delay; .* in (59m|1h)/);
  });

  it('overdue: whoever published with a delay has ended before it was due', async () => {
    await services.group('orders', 'shop');
    const bus = await services.start('publisher');
    await bus.publish('orders', 1, { delay: '1s' });
    await bus.stop();
    await until('it is due', async () => 'overdue' in (await reasons()));
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['no-member', 'overdue']);
    expect(found.overdue.text).toMatch(
      /^1 delayed message are due, the first since .*, and nobody moves them/,
    );
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

  it('another guarantee: services use it by its bare name, as programs of the Go library do', async () => {
    const bus = await services.start('bridge', { topics: { orders: { wire: 'go' } } });
    await bus.subscribe('orders', () => undefined);
    const found = await reasons();
    expect(Object.keys(found)).toEqual(['another-guarantee']);
    expect(found['another-guarantee'].text).toMatch(/"orders" is used on the wire 'go' by service "bridge"/);
  });
});
