// Two PINGs, one after the other: the round trips of a pair that is alone, without the lock.
import { fromRoot } from '../harness/library.mjs';
import { Locker } from '../harness/locker.mjs';

const { Redis } = await fromRoot('ioredis');

export async function alone({ url }) {
  const client = new Redis(url);
  return new Locker(async () => {
    await client.ping();
    return () => client.ping();
  });
}
