// This library: bus.locks of a Nest application, metrics on. It needs no retry delay.

import { fromRoot } from '../harness/library.mjs';
import { Locker } from '../harness/locker.mjs';
import { application } from './disco.mjs';

const { DiscoBusService } = await fromRoot('nestjs-disco-bus');

export async function alone({ url }) {
  const { locks } = (await application({ url })).get(DiscoBusService);
  return new Locker(async (key, ttl) => {
    const lock = await locks.acquire(key, { ttl, wait: '1m' });
    return () => lock.release();
  });
}
