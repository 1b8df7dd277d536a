import { randomUUID } from 'node:crypto';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { startFrame } from '../../../lib/message/frame.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { RedisServer } from '../../support/redis-server.js';
import { Inbox, KeepingLogger } from '../../unit/bus/support.js';

/** How a victim is reached. */
export interface VictimWay {
  readonly driver: () => DiscoDriver;
  readonly delivery: DeliveryGuarantee;
}

/** A redis-server and a memory broker of the file's own, with drivers for both; what `closes` is given ends with its test. */
export function useEngines() {
  let redis: RedisServer;
  let broker: MemoryBroker;
  const open: { close(): Promise<unknown> }[] = [];
  beforeAll(async () => {
    redis = await RedisServer.start();
    broker = new MemoryBroker();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });
  afterAll(() => redis.stop());
  return {
    memory: () => memoryDriver({ broker }),
    redis: () => redisDriver({ url: redis.url }),
    redisUrl: () => redis.url,
    closes: (each: { close(): Promise<unknown> }) => void open.push(each),
  };
}

/** What a victim does with a payload; what becomes of messages is pushed to `outcomes`. */
export type Handling = (payload: unknown, outcomes: Inbox<string>) => unknown;

/** A bus that listens to `t`, and a driver beside it that sends whatever bytes it is given. */
export async function victim(
  { closes }: Pick<ReturnType<typeof useEngines>, 'closes'>,
  { driver, delivery }: VictimWay,
  handle: Handling,
) {
  const prefix = `h${randomUUID().slice(0, 8)}`;
  const outcomes = new Inbox<string>();
  const note = (outcome: string) => outcomes.push(outcome);
  const topic = { ...noopMetrics.topic('t'), dropped: note, deadLettered: note };
  const bus = new DiscoBus({
    driver: driver(),
    prefix,
    service: 'victim',
    metrics: { ...noopMetrics, topic: (name) => (name === 't' ? topic : noopMetrics.topic(name)) },
    logger: new KeepingLogger(),
    defaults: { delivery, backlog: { limit: 10_000 } },
  });
  closes({ close: () => bus.stop() });
  await bus.start();
  await bus.subscribe('t', (payload: unknown) => handle(payload, outcomes));
  const raw = driver();
  closes(raw);
  await raw.connect({ prefix });
  const send = (bytes: Uint8Array) =>
    raw.publish('t', bytes, { delivery, id: randomUUID(), timeoutMs: 30_000 });
  return { prefix, bus, outcomes, send };
}

/** A frame with this envelope and body, whatever they say. */
export function frameWith(envelope: object, body: string): Uint8Array {
  const rest = Buffer.from(body);
  const bytes = startFrame(JSON.stringify(envelope), 0, rest.length);
  bytes.set(rest, bytes.length - rest.length);
  return bytes;
}
