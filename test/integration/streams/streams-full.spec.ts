import { randomBytes } from 'node:crypto';
import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { until } from '../../support/waiting.js';
import { gate } from '../../unit/bus/support.js';
import { acknowledging, member, stored, streamsStage, textOf } from './support.js';

describe('A Redis without memory', () => {
  const redis = streamsStage();
  const running: DiscoBus[] = [];
  let lines: string[];
  let statuses: BusStatus[];

  beforeEach(() => {
    lines = [];
    statuses = [];
  });
  afterEach(async () => {
    await redis.admin.config('SET', 'maxmemory', '0');
    await redis.admin.config('SET', 'maxmemory-policy', 'noeviction');
    await Promise.all(running.splice(0).map((bus) => bus.stop()));
  });

  async function started(service = 'shop'): Promise<DiscoBus> {
    const write = (line: string) => lines.push(line);
    const bus = new DiscoBus({
      driver: redisDriver({ url: redis.server.url, streams: { claimAfter: '3s' } }),
      service,
      compression: false,
      defaults: { retry: { attempts: 2, backoff: { delay: 50 } } },
      logger: { log: write, warn: write, error: write },
    });
    running.push(bus);
    bus.onStatus((status) => statuses.push(status));
    await bus.start();
    return bus;
  }

  const used = async () => Number(/^used_memory:(\d+)/m.exec(await redis.admin.info('memory'))![1]);
  const publish = (bus: DiscoBus, topic = 'big') => bus.publish(topic, randomBytes(50_000));
  const full = () => statuses.flatMap((status) => (status.type === 'full' ? [status.full] : []));

  /** Leaves room for so many bytes, and publishes until Redis refuses. Resolves with how many it took. */
  async function fill(bus: DiscoBus, bytes: number): Promise<number> {
    await redis.admin.config('SET', 'maxmemory', String((await used()) + bytes));
    for (let taken = 0; ; taken++) {
      try {
        await publish(bus);
      } catch (error) {
        expect(error).toMatchObject({ code: 'DISCO_DRIVER', retryable: true });
        expect((error as Error).message).toContain('OOM');
        return taken;
      }
    }
  }

  /** Neighbours take what is left, until nothing more goes in. */
  async function takeTheRest(): Promise<void> {
    for (let n = 0, refused = 0; refused < 20; n++) {
      await redis.admin.set(`neighbour:${n}`, 'x'.repeat(100)).catch(() => refused++);
    }
  }

  it('takes publishes again soon after what it holds is handled, and tells of it once', async () => {
    const bus = await started();
    const open = gate();
    let handled = 0;
    await bus.subscribe('big', async () => {
      await open.promise;
      handled++;
    });
    const taken = await fill(bus, 4_000_000);
    await takeTheRest();
    await expect(publish(bus)).rejects.toMatchObject({ code: 'DISCO_DRIVER' });
    open.open();
    await until('all is handled', () => handled === taken);
    await until('a publish is taken', () => publish(bus).then(Boolean, () => false), 5_000);
    const told = () => full().length === 2;
    await until('it has told so', () => bus.publish('big', 'small').then(told, told), 5_000);
    expect(full()).toEqual([true, false]);
    const written = lines.filter((line) => /memory|room/.test(line));
    expect(written).toEqual([
      'The server has no memory left: publishes at least once are refused until there is room',
      'The server has room again: publishes are accepted',
    ]);
    await until('it is trimmed', async () => (await redis.admin.xlen('disco:{big}')) <= 2, 5_000);
  });

  it('retries, buries, and takes over from the dead all the same', async () => {
    const bus = await started();
    const open = gate();
    await bus.subscribe('fails', async () => {
      await open.promise;
      throw new Error('no');
    });
    for (let n = 0; n < 5; n++) await publish(bus, 'fails');
    // A member that died with what it had read.
    await redis.admin.call('XGROUP', 'CREATE', 'disco:{left}', 'shop', '0', 'MKSTREAM');
    await publish(bus, 'left');
    const read = ['GROUP', 'shop', 'dead', 'COUNT', '1', 'STREAMS', 'disco:{left}', '>'];
    expect(JSON.stringify(await redis.admin.call('XREADGROUP', ...read))).toContain('disco:{left}');
    await fill(bus, 2_000_000);
    await takeTheRest();
    open.open();
    await until('all are dead letters', async () => (await bus.deadLetters('fails').count()) === 5);
    const taken: number[] = [];
    await bus.subscribe('left', (_, { attempt }) => taken.push(attempt));
    await until('it is taken over', () => taken.length === 1);
    const [pending] = (await redis.admin.call('XPENDING', 'disco:{fails}', 'shop')) as [number];
    expect(pending).toBe(0);
  });

  it('lets a service that starts anew read what is there', async () => {
    const first = await started();
    await first.subscribe('big', () => {});
    await first.drain();
    const taken = await fill(first, 2_000_000);
    await first.stop();
    await takeTheRest();
    const again = await started();
    let handled = 0;
    await again.subscribe('big', () => handled++);
    await until('all is handled', () => handled === taken);
    await until('a publish is taken', () => publish(again).then(Boolean, () => false), 5_000);
  });

  it('that drops keys instead is warned of at the start', async () => {
    await redis.admin.config('SET', 'maxmemory', '1gb');
    await redis.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await started();
    expect(statuses).toContainEqual({ type: 'evicts', policy: 'allkeys-lru' });
    const warned = lines.filter((line) => line.includes('maxmemory-policy'));
    expect(warned).toEqual([expect.stringContaining('maxmemory-policy allkeys-lru')]);
  });
});

describe('What Redis has dropped', () => {
  const redis = streamsStage();
  const connect = () => redis.drivers.connected({ url: redis.server.url, streams: { claimAfter: '600ms' } });
  const losses = (driver: { onStatus(listener: (status: { type: string }) => void): unknown }) => {
    const told: unknown[] = [];
    driver.onStatus((status) => status.type === 'data-loss' && told.push(status));
    return told;
  };
  const loss = { type: 'data-loss', topic: 'orders' };

  /** A message that waits for its next attempt. */
  async function waiting(delayMs: number) {
    const driver = await connect();
    const told = losses(driver);
    const { inbox } = acknowledging();
    await driver.subscribe('orders', member(), (delivery) => {
      inbox.take(delivery);
      (delivery.attempt === 1 ? delivery.retry(delayMs) : delivery.ack()).catch(() => undefined);
    });
    await driver.publish('orders', Buffer.from('m'), stored());
    await inbox.received(1);
    await until('the upkeep has counted it', async () => {
      return (await redis.admin.hget('disco:{orders}:state:g', 'waiting')) === '1';
    });
    return { told, inbox };
  }

  it.each(['disco:{orders}', 'disco:{orders}:retry:g'])('is told as data loss: %s', async (key) => {
    const { told } = await waiting(60_000);
    await redis.admin.del(key);
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([loss]);
  });

  it('is told as data loss: the retries that wait', async () => {
    const { told } = await waiting(60_000);
    await redis.admin.del('disco:{orders}:delayed:g', 'disco:{orders}:delayed-bodies:g');
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([loss]);
  });

  it('is told as data loss: what the retries that wait hold', async () => {
    const { told } = await waiting(1_000);
    await redis.admin.del('disco:{orders}:delayed-bodies:g');
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([loss]);
  });

  it('is made again where it can: the order of the retries that wait', async () => {
    const { told, inbox } = await waiting(60_000);
    await redis.admin.del('disco:{orders}:delayed:g');
    expect((await inbox.received(2)).map(textOf)).toEqual(['m', 'm']);
    expect(told).toEqual([]);
  });
});
