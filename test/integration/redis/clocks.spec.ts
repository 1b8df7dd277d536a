import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { MemoryBroker } from '../../../lib/drivers/memory/memory-broker.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { type Clock, systemClock } from '../../../lib/timing/clock.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { RedisServer } from '../../support/redis-server.js';
import { gate, Inbox } from '../../unit/bus/support.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };

/** The computer's clock as a host shows it whose time is off by so much. */
function shifted(offsetMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + offsetMs };
}

let redis: RedisServer;
let broker: MemoryBroker;
let prefixes = 0;
const closing: (() => Promise<void>)[] = [];

const engines: { name: string; driver(): DiscoDriver }[] = [
  { name: 'memory', driver: () => memoryDriver({ broker }) },
  { name: 'redis', driver: () => redisDriver({ url: redis.url }) },
];
const offsets = [2_000, -2_000, 3_600_000, -3_600_000];
const guarantees = ['at-most-once', 'at-least-once'] as const;

describe.each(engines)('Hosts whose clocks disagree, on $name', ({ driver }) => {
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  beforeEach(() => {
    broker = new MemoryBroker();
    prefixes++;
  });
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });
  afterAll(() => redis.stop());

  const started = async (offsetMs: number) => {
    const bus = new DiscoBus({
      driver: driver(),
      clock: shifted(offsetMs),
      prefix: `clocks${prefixes}`,
      service: 'clocks',
      logger: silent,
    });
    closing.push(() => bus.stop());
    await bus.start();
    return bus;
  };

  describe.each(offsets)('the server is %i ms ahead', (offsetMs) => {
    it.each(guarantees)('a request of one second is answered, %s', async (delivery) => {
      const [asking, answering] = [await started(0), await started(offsetMs)];
      await answering.subscribe('echo', (n: number) => n, { delivery });
      expect(await asking.request('echo', 1, { delivery, timeout: '1s' })).toBe(1);
    });

    it.each(guarantees)('one whose time is over is not started, and told, %s', async (delivery) => {
      const [asking, answering] = [await started(0), await started(offsetMs)];
      const dropped = new Inbox<string>();
      answering.onStatus((status) => status.type === 'dropped' && dropped.push(status.reason));
      const [begun, held] = [new Inbox<number>(), gate()];
      await answering.subscribe(
        'busy',
        async (n: number) => {
          begun.push(n);
          await held.promise;
        },
        { delivery, concurrency: 1 },
      );
      const ask = (n: number, timeout: number) =>
        asking.request('busy', n, { delivery, timeout }).catch(({ code }) => code);
      const answers = [ask(1, 10_000)];
      await begun.until(1);
      answers.push(ask(2, 100));
      expect(await answers[1]).toBe('DISCO_REQUEST_TIMEOUT');
      await delay(50);
      held.open();
      expect(await dropped.until(1)).toEqual(['expired']);
      expect(begun.items).toEqual([1]);
      await asking.stop();
      await answers[0];
    });

    it('a client and a server of Nest answer each other', async () => {
      const common = { prefix: `clocks${prefixes}`, service: 'clocks', logger: silent };
      const server = new DiscoBusServer({ ...common, driver: driver(), clock: shifted(offsetMs) });
      const client = new DiscoBusClient({ ...common, driver: driver(), timeout: '1s' });
      closing.push(
        () => client.close(),
        () => server.close(),
      );
      server.addHandler('echo', async (n: number) => n);
      await new Promise<void>((resolve) => server.listen(() => resolve()));
      expect(await lastValueFrom(client.send('echo', 7))).toBe(7);
    });

    it('events with a ttl or a delay keep to it', async () => {
      const [publishing, handling] = [await started(offsetMs), await started(0)];
      const inbox = new Inbox<string>();
      await handling.subscribe('timed', (text: string) => inbox.push(text), {
        delivery: 'at-least-once',
      });
      await publishing.publish('timed', 'ttl', { delivery: 'at-least-once', ttl: '5s' });
      await publishing.publish('timed', 'later', { delivery: 'at-least-once', delay: 50 });
      expect(await inbox.until(2)).toEqual(['ttl', 'later']);
    });

    it('replayAll hands back all that is there, and nothing twice', async () => {
      const bus = await started(offsetMs);
      const attempts = new Inbox<number>();
      await bus.subscribe(
        'failing',
        (n: number) => {
          attempts.push(n);
          throw new Error('on purpose');
        },
        { delivery: 'at-least-once', retry: false },
      );
      for (const n of [1, 2, 3]) await bus.publish('failing', n, { delivery: 'at-least-once' });
      const letters = bus.deadLetters('failing');
      for (let look = 0; look < 300 && (await letters.count()) < 3; look++) await delay(10);
      expect(await letters.replayAll({ rate: 50 })).toEqual({ replayed: 3, capped: 0 });
      expect(await attempts.until(6)).toHaveLength(6);
    });
  });
});
