// @sesamecare-oss/redlock over one Redis.
import { Redlock } from '@sesamecare-oss/redlock';
import { fromRoot } from '../harness/library.mjs';
import { Locker } from '../harness/locker.mjs';

const { Redis } = await fromRoot('ioredis');

export async function alone({ port }) {
  const redlock = new Redlock([new Redis({ port })], { retryCount: -1 });
  return new Locker(async (key, ttl, retryDelay) => {
    const lock = await redlock.acquire([key], ttl, { retryDelay, retryJitter: retryDelay / 2 });
    return () => lock.release();
  });
}
