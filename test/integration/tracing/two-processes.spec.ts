import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { openTelemetry } from '../../../lib/opentelemetry/open-telemetry.js';
import { Collector } from '../../support/collector.js';
import { RedisServer } from '../../support/redis-server.js';
import { sourceFlags } from '../../support/source-process.js';
import { spansNamed, Telemetry, type ToldSpan } from '../../support/telemetry.js';
import { KeepingLogger } from '../../unit/bus/support.js';

/** The other service, in a process of its own, and the spans that it tells. */
class Shipping {
  private readonly told = new Collector<ToldSpan>();
  private readonly process: ChildProcess;

  constructor(url: string) {
    const program = [...sourceFlags, join(__dirname, 'traced-shipping.ts'), url];
    this.process = spawn(process.execPath, program, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.process.stdout!).on('line', (line) => this.told.add(JSON.parse(line)));
  }

  named(name: string, count = 1, traceId?: string): Promise<ToldSpan[]> {
    return spansNamed(this.told, name, count, traceId);
  }

  /** Resolves with `count` attempts at what was replayed. */
  async replayed(count: number): Promise<ToldSpan[]> {
    const those = () =>
      this.told.values.filter(({ attributes }) => attributes['messaging.disco_bus.replayed']);
    await this.told.when(() => those().length >= count, `${count} attempts at replays`, 25_000);
    return those();
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdin!.end();
    await exited;
  }
}

describe('two services on Redis', () => {
  let redis: RedisServer;
  let shipping: Shipping;
  let telemetry: Telemetry;
  let bus: DiscoBus;

  beforeAll(async () => {
    redis = await RedisServer.start();
    telemetry = new Telemetry();
    shipping = new Shipping(redis.url);
    const driver = redisDriver({ url: redis.url });
    bus = new DiscoBus({ driver, service: 'shop', tracing: openTelemetry(), logger: new KeepingLogger() });
    await bus.start();
    await bus.subscribe('shipped', () => {});
    await shipping.named('boot');
  });
  afterAll(async () => {
    await shipping.stop();
    await bus.stop();
    await telemetry.close();
    await redis.stop();
  });

  /** Publishes within a span of its own; returns the spans of both processes so far, by their trace. */
  async function checkout(order: { number: number; failures: number }) {
    const { id } = await telemetry.within('checkout', () => bus.publish('orders', order));
    const root = telemetry.spans.find(({ spanId }) => spanId === id)!;
    const publish = telemetry.spans.find(({ parentId }) => parentId === id)!;
    const handled = (name: string, count = 1) => shipping.named(name, count, root.traceId);
    return { root, publish, handled };
  }

  it('tell one story: publish, retry, success, and what follows from it', async () => {
    const { root, publish, handled } = await checkout({ number: 1, failures: 1 });
    const [first, second] = await handled('process orders', 2);
    const [retry] = await handled('retry orders');
    const [shipped] = await handled('publish shipped');
    const [end] = (await telemetry.named('process shipped')).filter(
      ({ traceId }) => traceId === root.traceId,
    );
    expect(publish).toMatchObject({ name: 'publish orders', traceId: root.traceId, kind: 'PRODUCER' });
    expect(first).toMatchObject({ parentId: publish.spanId, links: [publish.spanId], failed: true });
    expect(retry.parentId).toBe(first.spanId);
    expect(second).toMatchObject({ parentId: publish.spanId, links: [publish.spanId], failed: false });
    expect(shipped.parentId).toBe(second.spanId);
    expect(end).toMatchObject({ parentId: shipped.spanId, kind: 'CONSUMER' });
    expect([first, second].map(({ attributes }) => attributes['messaging.disco_bus.attempt'])).toEqual([
      1, 2,
    ]);
  });

  it('tell of a dead letter to the end, and begin anew, linked, when it is replayed', async () => {
    const { publish, handled } = await checkout({ number: 2, failures: 9 });
    const [buried] = await handled('dead-letter orders');
    const attempts = await handled('process orders', 2);
    expect(attempts.map(({ parentId }) => parentId)).toEqual([publish.spanId, publish.spanId]);
    expect(attempts.every(({ failed }) => failed)).toBe(true);
    expect(attempts[1]).toMatchObject({
      events: ['exception: no van for 2'],
      attributes: { 'error.type': 'RangeError', 'messaging.consumer.group.name': 'shipping' },
    });
    expect(buried).toMatchObject({ parentId: attempts[1].spanId, failed: false });

    expect(await bus.deadLetters('orders', 'shipping').replayAll()).toMatchObject({ replayed: 1 });
    const replayed = await shipping.replayed(2);
    expect(new Set([publish, ...replayed].map(({ traceId }) => traceId)).size).toBe(3);
    for (const each of replayed) expect(each).toMatchObject({ parentId: null, links: [publish.spanId] });
  });
});
