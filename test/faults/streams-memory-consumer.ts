import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';

/** A consumer process: handles messages of `load`, and tells its parent of every tenth of `total` and of its heap then. */
const [url, total] = [process.argv[2], Number(process.argv[3])];
const collect = (globalThis as { gc?: () => void }).gc;
if (!collect) throw new Error('Needs --expose-gc');

let handled = 0;
const bus = new DiscoBus({ driver: redisDriver({ url }), service: 'memory' });
await bus.start();
await bus.subscribe(
  'load',
  () => {
    handled++;
    if (handled % (total / 10) !== 0) return;
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    process.send?.({ handled, heapUsed, rss });
  },
  { delivery: 'at-least-once', concurrency: 64 },
);
process.send?.({ handled: 0, heapUsed: 0, rss: 0 });
process.once('disconnect', () => void bus.stop().then(() => process.exit(0)));
