import type { StreamConnection } from '../stream-connection.js';
import { StreamScript } from '../stream-script.js';

/** A reader that was not heard of for so long is gone, and its stream with it. */
const LIFE_MS = 600_000;

/** PEXPIRE takes no memory, and what follows it in a script is let past the server's limit. */
const openScript = `
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '$', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return redis.error_reply(made.err) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** Let past the limit likewise. */
const wakeScript = `
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'w', 1)
`;

/** What a {@link ReadWaker} runs. */
export const wakeScripts = [openScript, wakeScript] as const;
const open = new StreamScript(openScript);
const wake = new StreamScript(wakeScript);

/**
 * Ends the blocking reads of a user without CLIENT UNBLOCK: a stream of the reader's own is read together with the topics',
 * and gets an entry when a read is to end.
 */
export class ReadWaker {
  private openedMs = Number.NEGATIVE_INFINITY;

  /** `connection`: another one than that which reads. */
  constructor(
    readonly key: string,
    private readonly group: string,
    private readonly connection: StreamConnection,
  ) {}

  /** To be awaited before each read: makes the stream, and keeps it. */
  async ready(): Promise<void> {
    if (performance.now() - this.openedMs < LIFE_MS / 4) return;
    await this.connection.run((client) => open.run(client, [this.key], [this.group, LIFE_MS]));
    this.openedMs = performance.now();
  }

  /** The stream may be gone, as after the server was flushed. */
  doubt(): void {
    this.openedMs = Number.NEGATIVE_INFINITY;
  }

  /** The read under way ends, or the next one at once. */
  async wake(): Promise<void> {
    await this.connection.run((client) => wake.run(client, [this.key], [LIFE_MS]));
  }

  /** A read has brought these entries. */
  seen(ids: readonly string[]): void {
    this.connection.run((client) => client.xack(this.key, this.group, ...ids)).catch(() => undefined);
  }

  /** Leaves nothing behind. */
  async forget(): Promise<void> {
    await this.connection.run((client) => client.pexpire(this.key, 0)).catch(() => undefined);
  }
}
