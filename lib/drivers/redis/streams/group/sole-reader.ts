import { soleReaderScript } from '../scripts/group-scripts.js';
import type { StreamConnection } from '../stream-connection.js';
import type { GroupKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const script = new StreamScript(soleReaderScript);

/** What a {@link SoleReader} works with. */
export interface SoleReaderSetup {
  readonly connection: StreamConnection;
  readonly keys: GroupKeys;
  readonly group: string;
  /** Names the consumer. */
  readonly name: string;
  /** How long a right holds that is not renewed. Milliseconds. */
  readonly claimAfterMs: number;
}

/** The right of one consumer to read a group that only one may read at a time. */
export class SoleReader {
  /** On the monotonic clock, counted from before asking. */
  private heldUntilMs = 0;

  constructor(private readonly setup: SoleReaderSetup) {}

  get mayRead(): boolean {
    return performance.now() < this.heldUntilMs;
  }

  /** Takes or keeps the right to read; true if it is new. Rejects when Redis cannot be asked: the right then runs out. */
  async renew(): Promise<boolean> {
    const askedMs = performance.now();
    const isNew = askedMs >= this.heldUntilMs;
    const granted = (await this.ask(0)) === 1;
    this.heldUntilMs = granted ? askedMs + this.setup.claimAfterMs : 0;
    return granted && isNew;
  }

  /** Lets another consumer follow at once. */
  async giveUp(): Promise<void> {
    this.heldUntilMs = 0;
    await this.ask(1);
  }

  private ask(givesUp: 0 | 1): Promise<unknown> {
    const { connection, group, name, claimAfterMs } = this.setup;
    const { stream, retry, state } = this.setup.keys;
    const args = [group, name, claimAfterMs, givesUp];
    return connection.run((client) => script.run(client, [stream, retry, state], args));
  }
}
