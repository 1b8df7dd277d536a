import type { Cluster, Redis } from 'ioredis';
import { lackingRights, missingRights } from '../rights/missing-rights.js';
import { commandsOf } from '../rights/script-commands.js';
import { inspectLockScript, lockScript, peekScript } from './lock-script.js';

/** What locks send on keys, read off the scripts themselves. */
export const lockCommands: readonly string[] = commandsOf(lockScript, peekScript, inspectLockScript);

/** What a {@link LockRights} tries. */
export interface LockRightsSetup {
  /** Of a lock that nobody has. */
  readonly keys: readonly string[];
  /** Where waiters are told. */
  readonly channel: string;
}

/** What the user of a connection may do with locks, looked at on each connection before it is used. */
export class LockRights {
  /** Whether waiters can be told that it is their turn; otherwise they have to look. */
  tellsWaiters = true;

  constructor(private readonly setup: LockRightsSetup) {}

  /** Rejects with DriverError that names the commands that are missing. A user of some keys only is told by these keys. */
  async look(client: Redis | Cluster): Promise<void> {
    const { keys, channel } = this.setup;
    const missing = await missingRights(client, { commands: lockCommands, keys });
    const lacking = missing.filter((right) => right.startsWith('+'));
    if (lacking.length > 0) throw lackingRights('locks', lacking);
    const need = { commands: ['PUBLISH', 'SUBSCRIBE'], keys: [], channel };
    this.tellsWaiters = (await missingRights(client, need)).length === 0;
  }
}
