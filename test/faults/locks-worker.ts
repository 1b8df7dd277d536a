// A process of the lock fault tests: takes locks as told and sends its journal to the parent.
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { pause, sharedMs } from '../support/waiting.js';
import { type WorkerOrder } from './locks-support.js';

const order = JSON.parse(process.argv[2]) as WorkerOrder;
const timing = { commandTimeout: 1_000, heartbeat: 500 } as const;
const locks = new LockManager(new RedisLockStore({ url: order.url, ...timing }), { ttl: order.ttlMs });
let stopped = false;

const tell = (message: object) => process.send?.(message, undefined, undefined, () => undefined);
process.on('message', (message) => {
  if (message === 'go') void run();
  else stopped = true;
});
process.on('disconnect', () => process.exit());
process.on('unhandledRejection', (error) => tell({ type: 'error', text: `unhandled: ${String(error)}` }));

await locks.connect();
tell({ type: 'ready' });

async function run(): Promise<void> {
  if (order.task === 'hold') {
    const lock = await locks.acquire(order.keys[0], { autoExtend: true });
    lock.signal.addEventListener('abort', () => tell({ type: 'error', text: 'the lock was lost' }));
    tell({ type: 'holding' });
    return;
  }
  await Promise.all(order.keys.flatMap((key) => [cycle(key), cycle(key)]));
  await locks.close();
  process.disconnect();
}

async function cycle(key: string): Promise<void> {
  while (!stopped) {
    try {
      const lock = await locks.acquire(key, { wait: 5_000 });
      const fromMs = sharedMs();
      let toMs = fromMs;
      let valid = false;
      const hold = { type: 'hold', key, token: String(lock.fencingToken), fromMs };
      for (let turn = 0; turn < 2; turn++) {
        const now = sharedMs();
        if (!lock.isValid()) break;
        valid = true;
        toMs = now;
        await new Promise((resolve) => setImmediate(resolve));
      }
      tell({ ...hold, toMs, valid, writeMs: sharedMs() });
      await lock.release();
    } catch (error) {
      const { code } = error as { code?: string };
      if (!code?.startsWith('DISCO_')) tell({ type: 'error', text: String(error) });
      await pause(5);
    }
  }
}
