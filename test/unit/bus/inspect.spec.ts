import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { DriverDecorator } from '../../../lib/testing/driver-decorator.js';
import { until } from '../../support/waiting.js';
import { KeepingLogger } from './support.js';

describe('bus.inspect', () => {
  const buses: DiscoBus[] = [];
  afterEach(() => Promise.all(buses.splice(0).map((bus) => bus.stop())));

  function made(driver: ConstructorParameters<typeof DiscoBus>[0]['driver'] = memoryDriver()): DiscoBus {
    const bus = new DiscoBus({ driver, service: 'shop', logger: new KeepingLogger() });
    buses.push(bus);
    return bus;
  }

  it('tells topics and groups of the embedded driver, exactly', async () => {
    const bus = made();
    await bus.start();
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await bus.subscribe('orders', () => gate, { concurrency: 3, prefetch: 0 });
    await bus.publishBatch(
      'orders',
      Array.from({ length: 40 }, (_, n) => n),
    );
    await bus.publish('orders', 'later', { delay: '1h' });
    await until('three run', async () => (await bus.inspect.group('orders', 'shop'))?.running === 3);
    const [topic, ...others] = await bus.inspect.topics();
    expect(others).toEqual([]);
    expect(topic).toMatchObject({ topic: 'orders', published: 40, delayed: 1, overdue: 0, exact: true });
    const [group] = topic.groups;
    expect(group.waiting + group.held).toBe(40);
    expect(group.members).toMatchObject([
      { service: 'shop', pid: process.pid, running: 3, held: group.held },
    ]);
    expect(group.members[0].runningSince).toBeLessThanOrEqual(topic.at);
    open();
    await until('all is handled', async () => (await bus.inspect.group('orders', 'shop'))?.handled === 40);
    expect((await bus.inspect.topic('orders', { bytes: true }))?.bytes).toEqual(expect.any(Number));
    expect(await bus.inspect.names()).toEqual(['orders']);
    expect(await bus.inspect.names({ after: 'orders' })).toEqual([]);
  });

  it('undefined stands for a topic or group that is not there', async () => {
    const bus = made();
    await bus.start();
    expect(await bus.inspect.topic('orders')).toBeUndefined();
    expect(await bus.inspect.group('orders', 'shop')).toBeUndefined();
  });

  it.each([
    ['a topic that is none', (bus: DiscoBus) => bus.inspect.topic('no topic'), 'DISCO_TOPIC_INVALID'],
    ['no topic', (bus: DiscoBus) => bus.inspect.group('', 'g'), 'DISCO_TOPIC_INVALID'],
    ['no group', (bus: DiscoBus) => bus.inspect.group('orders', ''), 'DISCO_CONFIGURATION'],
    ['a limit that is none', (bus: DiscoBus) => bus.inspect.topics({ limit: 1_001 }), 'DISCO_CONFIGURATION'],
    ['an unknown option', (bus: DiscoBus) => bus.inspect.names({ size: 1 } as object), 'DISCO_CONFIGURATION'],
  ])('rejects for %s', async (_, ask, code) => {
    const bus = made();
    await bus.start();
    await expect(ask(bus)).rejects.toMatchObject({ code });
  });

  it('rejects where the driver cannot tell, before the start and after the stop', async () => {
    const dumb = new DriverDecorator(memoryDriver());
    Object.assign(dumb, { listTopics: undefined });
    const bus = made(dumb);
    await expect(bus.inspect.topics()).rejects.toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
    await bus.start();
    await expect(bus.inspect.topics()).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
      message: expect.stringContaining('memory'),
    });
    const other = made();
    await other.start();
    expect(other.inspect.connections()).toEqual([
      { driver: 'memory', connected: true, server: 'the memory of this process' },
    ]);
    await other.stop();
    expect(other.inspect.connections()).toMatchObject([{ connected: false }]);
    await expect(other.inspect.topics()).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
  });
});
