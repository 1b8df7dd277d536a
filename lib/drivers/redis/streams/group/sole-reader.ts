import type { ConsumerSetup } from '../consume/consumer-setup.js';
import type { StreamSubscription } from '../consume/consumer-subscriptions.js';
import { soleReaderScript } from '../scripts/sole-reader-script.js';
import type { GroupKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const script = new StreamScript(soleReaderScript);
const nobody: readonly StreamSubscription[] = [];

/** An exclusive group as one of its consumers sees it: read by one consumer, and there by one subscription, at a time. */
export class SoleReader {
  /** On the monotonic clock, counted from before asking. */
  private heldUntilMs = 0;
  private reader: StreamSubscription | undefined;

  constructor(
    private readonly setup: ConsumerSetup,
    private readonly keys: GroupKeys,
    private readonly group: string,
  ) {}

  /** The subscription that may be handed something. One that has left is followed once all it had in flight is settled. */
  among(subscriptions: readonly StreamSubscription[]): readonly StreamSubscription[] {
    if (performance.now() >= this.heldUntilMs) return nobody;
    const { reader } = this;
    const stays = reader !== undefined && (subscriptions.includes(reader) || reader.unsettled > 0);
    this.reader = stays ? reader : subscriptions[0];
    return this.reader === undefined ? nobody : [this.reader];
  }

  /** Takes or keeps the right to read; true if it is new. Rejects when Redis cannot be asked: the right then runs out. */
  async renew(): Promise<boolean> {
    const askedMs = performance.now();
    const isNew = askedMs >= this.heldUntilMs;
    const granted = (await this.ask(0)) === 1;
    this.heldUntilMs = granted ? askedMs + this.setup.options.claimAfterMs : 0;
    return granted && isNew;
  }

  /** Lets another consumer follow at once. */
  async giveUp(): Promise<void> {
    this.heldUntilMs = 0;
    await this.ask(1);
  }

  private ask(givesUp: 0 | 1): Promise<unknown> {
    const { connection, name, options } = this.setup;
    const { stream, retry, state } = this.keys;
    const args = [this.group, name, options.claimAfterMs, givesUp];
    return connection.run((client) => script.run(client, [stream, retry, state], args));
  }
}
