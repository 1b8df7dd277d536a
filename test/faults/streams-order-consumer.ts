import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { pause } from '../support/waiting.js';

/** A member of the group `ordered`: tells its parent of every message that it begins and ends, `[key, n]`. */
const bus = new DiscoBus({
  driver: redisDriver({ url: process.argv[2], streams: { claimAfter: '1s' } }),
  service: 'ordered',
});
await bus.start();
await bus.subscribe(
  'steps',
  async ([key, n]: [string, number]) => {
    process.send?.({ begun: [key, n] });
    await pause(2);
    process.send?.({ ended: [key, n] });
  },
  { delivery: 'at-least-once', orderBy: 'key', concurrency: 8 },
);
process.send?.({ ready: true });
process.once('disconnect', () => process.exit(0));
