import { DiscoBus } from '../../lib/bus/disco-bus.js';
import type { DeliveryGuarantee } from '../../lib/driver/capabilities.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';

/** What a slow consumer tells its parent. */
export interface ConsumerNews {
  /** A status of the bus by its type, `ready`, or `handled`. */
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The message that was handled. */
  readonly n?: number;
  readonly rss: number;
}

/** A consumer process whose handler holds up the event loop: what comes meanwhile has to wait at the server. */
async function consume(url: string, delivery: DeliveryGuarantee, workMs: number): Promise<void> {
  const tell = (type: string, n?: number) => {
    const news: ConsumerNews = { type, at: Date.now(), n, rss: process.memoryUsage.rss() };
    process.send?.(news);
  };
  const silent = { log() {}, warn() {}, error() {} };
  const bus = new DiscoBus({ driver: redisDriver({ url }), service: 'slow', logger: silent });
  bus.onStatus(({ type }) => tell(type));
  await bus.start();
  await bus.subscribe(
    'load',
    ({ n, holdMs }: { n: number; holdMs?: number }) => {
      const endMs = performance.now() + (holdMs ?? workMs);
      while (performance.now() < endMs);
      tell('handled', n);
    },
    { delivery },
  );
  tell('ready');
}

process.once('disconnect', () => process.exit(0));
const [url, delivery, workMs] = process.argv.slice(2);
void consume(url, delivery as DeliveryGuarantee, Number(workMs));
