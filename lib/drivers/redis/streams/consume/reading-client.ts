import type { Redis } from 'ioredis';
import { isNotAllowed } from '../../rights/missing-rights.js';

/** The number by which the reads of a connection can be ended from another one; undefined where the user may not. */
export async function findClientId(client: Redis): Promise<number | undefined> {
  try {
    const id = Number(await client.client('ID'));
    // It does not block now, so this only asks whether the right is there.
    await client.client('UNBLOCK', id);
    return id;
  } catch (error) {
    if (isNotAllowed(error)) return undefined;
    throw error;
  }
}
