import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { LogFields } from '../../../lib/bus/options/bus-logger.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { prometheus } from '../../support/prometheus.js';
import { until } from '../../support/waiting.js';
import { streamsStage } from './support.js';

const CLAIM_AFTER_MS = 600;

type GivenUp = Extract<BusStatus, { type: 'dead-letter' | 'expired' }>;

describe('Redis Streams: what the driver gives up itself', () => {
  const buses: DiscoBus[] = [];
  afterEach(() => Promise.all(buses.splice(0).map((bus) => bus.stop())));
  const redis = streamsStage();

  /** A bus of the group `g`, with what it tells, logs and measures. */
  async function listening() {
    const { registry, metrics } = prometheus();
    const [told, lines] = [[] as GivenUp[], [] as LogFields[]];
    const write = (_: string, fields?: LogFields) => void (fields && lines.push(fields));
    const bus = new DiscoBus({
      driver: redisDriver({ url: redis.server.url, streams: { claimAfter: CLAIM_AFTER_MS } }),
      service: 'g',
      topics: { t: { delivery: 'at-least-once' } },
      logger: { log: () => {}, warn: write, error: write },
      metrics,
    });
    buses.push(bus);
    bus.onStatus((status) => {
      if (status.type === 'dead-letter' || status.type === 'expired') told.push(status);
    });
    await bus.start();
    const counted = async (name: string) => {
      const metric = (await registry.getMetricsAsJSON()).find((each) => each.name.endsWith(name));
      return metric?.values.map(({ labels: { topic, reason }, value }) => ({ topic, reason, value }));
    };
    return { bus, told, lines, counted };
  }

  const undecodable = { type: 'dead-letter', topic: 't', group: 'g', reason: 'undecodable', letters: 1 };

  it('an entry without a frame is told as a dead letter once it is one', async () => {
    const { bus, told, lines, counted } = await listening();
    const kept: Promise<number>[] = [];
    bus.onStatus(({ type }) => type === 'dead-letter' && kept.push(redis.admin.xlen('disco:{t}:dead:g')));
    await bus.subscribe('t', () => {});
    await redis.admin.xadd('disco:{t}', '*', 'no', 'frame');
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([undecodable]);
    expect(await Promise.all(kept)).toEqual([1]);
    expect(lines).toEqual([
      { event: 'dead-lettered', topic: 't', group: 'g', reason: 'undecodable', letters: 1 },
    ]);
    expect(await counted('messages_dead_lettered_total')).toEqual([
      { topic: 't', reason: 'undecodable', value: 1 },
    ]);
  });

  it('so is one that a member held when it died', async () => {
    const { admin } = redis;
    await admin.xgroup('CREATE', 'disco:{t}', 'g', '0', 'MKSTREAM');
    await admin.xadd('disco:{t}', '*', 'no', 'frame');
    await admin.xreadgroup('GROUP', 'g', 'gone', 'STREAMS', 'disco:{t}', '>');
    const { bus, told } = await listening();
    await bus.subscribe('t', () => {});
    await until('it is told', () => told.length > 0, 15_000);
    expect(told).toEqual([undecodable]);
    expect(await admin.xlen('disco:{t}:dead:g')).toBe(1);
  }, 20_000);

  it('messages whose ttl was over in the backlog are told together, and counted one by one', async () => {
    const { bus, told, lines, counted } = await listening();
    for (let n = 0; n < 5; n++) await bus.publish('t', n, { ttl: 20 });
    await bus.publish('t', 'last');
    const last = await redis.admin.time();
    await until('they are old', async () => Number((await redis.admin.time())[0]) >= Number(last[0]) + 1);
    const seen: unknown[] = [];
    await bus.subscribe('t', (payload) => void seen.push(payload));
    await until('all are told', () => told.length > 0 && seen.length > 0);
    expect(seen).toEqual(['last']);
    expect(told).toEqual([{ type: 'expired', topic: 't', group: 'g', messages: 5 }]);
    expect(lines).toContainEqual({ event: 'expired', topic: 't', group: 'g', messages: 5 });
    expect(await counted('messages_dropped_total')).toEqual([{ topic: 't', reason: 'expired', value: 5 }]);
  });

  it('so is one whose ttl was over before its next attempt', async () => {
    const { bus, told } = await listening();
    const fail = () => Promise.reject(new Error('not yet'));
    await bus.subscribe('t', fail, { retry: { attempts: 3, backoff: { type: 'fixed', delay: 400 } } });
    await bus.publish('t', 1, { ttl: 200 });
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([{ type: 'expired', topic: 't', group: 'g', messages: 1 }]);
    expect(await redis.admin.xlen('disco:{t}:dead:g')).toBe(0);
  });

  it('one whose ttl was over before it came due belongs to no group', async () => {
    const { bus, told, lines, counted } = await listening();
    await bus.publish('t', 1, { ttl: 20, delay: 100 });
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([{ type: 'expired', topic: 't', group: undefined, messages: 1 }]);
    expect(lines).toContainEqual({ event: 'expired', topic: 't', messages: 1 });
    expect(await counted('messages_dropped_total')).toEqual([{ topic: 't', reason: 'expired', value: 1 }]);
  });

  it('delayed publishes that the server has evicted are told as lost', async () => {
    const { bus } = await listening();
    const lost: string[] = [];
    bus.onStatus((status) => status.type === 'data-loss' && lost.push(status.topic));
    await bus.publish('t', 1, { delay: 200 });
    expect(await redis.admin.del('disco:{t}:later-bodies')).toBe(1);
    await until('it is told', () => lost.length > 0);
    expect(lost).toEqual(['t']);
  });
});
