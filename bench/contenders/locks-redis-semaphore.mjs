// The Mutex of redis-semaphore, without its automatic refresh: nobody here extends.
import semaphore from 'redis-semaphore';
import { fromRoot } from '../harness/library.mjs';
import { Locker } from '../harness/locker.mjs';

const { Redis } = await fromRoot('ioredis');

export async function alone({ port }) {
  const client = new Redis({ port });
  return new Locker(async (key, lockTimeout, retryInterval) => {
    const options = { lockTimeout, acquireTimeout: 60_000, retryInterval, refreshInterval: 0 };
    const mutex = new semaphore.Mutex(client, key, options);
    await mutex.acquire();
    return () => mutex.release();
  });
}
