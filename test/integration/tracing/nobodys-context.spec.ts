import { trace } from '@opentelemetry/api';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { locksOf } from '../../../lib/nest/locks/bus-locks.js';
import { openTelemetry } from '../../../lib/opentelemetry/open-telemetry.js';
import { RedisServer } from '../../support/redis-server.js';
import { Telemetry } from '../../support/telemetry.js';
import { until } from '../../support/waiting.js';
import { KeepingLogger } from '../../unit/bus/support.js';

/** Commands that are sent to Redis, and whether a span was active then: what an instrumentation of ioredis would see. */
class Commands {
  readonly sent: { readonly name: string; readonly spanId: string | undefined }[] = [];
  private readonly original = Redis.prototype.sendCommand;

  constructor() {
    const { sent, original } = this;
    Redis.prototype.sendCommand = function (this: Redis, command, ...rest) {
      sent.push({ name: command.name, spanId: trace.getActiveSpan()?.spanContext().spanId });
      return original.call(this, command, ...rest);
    };
  }

  count(...names: string[]): number {
    return this.sent.filter(({ name }) => names.includes(name)).length;
  }

  restore(): void {
    Redis.prototype.sendCommand = this.original;
  }
}

describe('a bus that is started, and subscribes, within a span', () => {
  let redis: RedisServer;
  let telemetry: Telemetry;
  let commands: Commands;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    telemetry = new Telemetry();
    commands = new Commands();
  });
  afterEach(async () => {
    commands.restore();
    await telemetry.close();
  });

  it.each([
    ['traced', openTelemetry()],
    ['not traced', undefined],
  ])('%s: reads and beats under nobody’s span', async (_, tracing) => {
    const driver = redisDriver({ url: redis.url });
    const bus = new DiscoBus({ driver, service: 'g', tracing, logger: new KeepingLogger() });
    const { id } = await telemetry.within('boot', async () => {
      await bus.start();
      await bus.subscribe('orders', () => {});
      await bus.subscribe('orders.*', () => {});
      await bus.subscribe('news', () => {}, { delivery: 'at-most-once' });
    });
    const reads = commands.count('xreadgroup');
    const scripts = commands.count('evalsha', 'fcall', 'eval');
    for (let number = 0; number < 3; number++) {
      await bus.publish('orders', number);
      await bus.publish('orders.new', number);
    }
    await until('the readers read on', () => commands.count('xreadgroup') > reads + 1);
    await until('members report', () => commands.count('evalsha', 'fcall', 'eval') > scripts + 8);
    await bus.stop();
    expect(commands.sent.length).toBeGreaterThan(10);
    expect(commands.sent.filter(({ spanId }) => spanId === id).map(({ name }) => name)).toEqual([]);
  });

  it('extends a lock under nobody’s span, in a service whose store connects when it is first needed', async () => {
    const driver = redisDriver({ url: redis.url });
    const locks = locksOf({ driver, tracing: openTelemetry() });
    await locks.connect();
    const { result: lock } = await telemetry.within('acquire', () =>
      locks.acquire('leader', { ttl: 150, autoExtend: true }),
    );
    const acquired = commands.sent.length;
    await until('it is extended twice', () => commands.sent.length > acquired + 1);
    await lock.release();
    await locks.close();
    await driver.close();
    const extended = commands.sent.slice(acquired, acquired + 2);
    expect(extended.map(({ spanId }) => spanId)).toEqual([undefined, undefined]);
    expect(commands.sent.find(({ name }) => name === 'hello')).toMatchObject({ spanId: undefined });
  });
});
