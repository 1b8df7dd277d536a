import type { Cluster, Redis } from 'ioredis';

const answers = new WeakMap<Redis | Cluster, boolean>();

/**
 * Whether the server can acknowledge and delete in one command (XACKDEL, Redis 8.2). It is asked when this is first called
 * for a client; until it has answered, no. A node of a Cluster may still lack it: scripts have to do without then.
 */
export function offersAckAndDelete(client: Redis | Cluster): boolean {
  const known = answers.get(client);
  if (known !== undefined) return known;
  answers.set(client, false);
  client.call('COMMAND', 'INFO', 'XACKDEL').then(
    (reply) => answers.set(client, Array.isArray(reply) && Boolean(reply[0])),
    // A lost connection has another client next; a user who may not ask does without.
    () => undefined,
  );
  return false;
}
