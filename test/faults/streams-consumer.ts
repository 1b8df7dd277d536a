// A consumer process: handles messages as its CONSUMER environment says, and journals over IPC what it does.
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { pause } from '../support/waiting.js';
import type { ConsumerConfig, JournalEntry } from './streams-processes.js';
import { versionOf } from './streams-versions.js';

const config = JSON.parse(process.env.CONSUMER ?? '{}') as ConsumerConfig;
const bus = new DiscoBus({
  driver: redisDriver({ url: config.url, streams: { claimAfter: config.claimAfterMs } }),
  service: config.group,
  shutdownTimeout: '3s',
});

function tell(entry: JournalEntry): void {
  process.send?.(entry);
}

await bus.start();
const { topic, version } = config;
await bus.subscribe(
  // Of a definition the type says no more than the name does.
  (version === undefined ? topic : versionOf(topic, version)) as string,
  async (payload: { n: number; does?: 'die' | 'fail' | 'refuse' }, context) => {
    tell({ type: 'begun', n: payload.n, attempt: context.attempt, at: Date.now() });
    if (payload.does === 'die') process.kill(process.pid, 'SIGKILL');
    if (payload.does === 'fail' && context.attempt === 1) {
      tell({ type: 'failed', n: payload.n, attempt: context.attempt, at: Date.now() });
      throw new Error('once');
    }
    if (payload.does === 'refuse') throw new UnrecoverableError('never');
    await pause(config.workMs);
    const fields = Object.keys(payload).join();
    tell({ type: 'done', n: payload.n, attempt: context.attempt, at: Date.now(), fields });
  },
  {
    delivery: 'at-least-once',
    concurrency: config.concurrency,
    prefetch: config.prefetch,
    orderBy: config.orderBy,
    retry: { attempts: 5, backoff: { type: 'fixed', delay: config.retryDelayMs, jitter: false } },
  },
);
tell({ type: 'ready', n: -1, attempt: 0, at: Date.now() });
process.once('SIGTERM', () => {
  void bus.stop().then(() => process.exit(0));
});
process.once('disconnect', () => process.exit(1));
