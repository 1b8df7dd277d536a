import type { DriverStatus } from '../../driver/driver-status.js';
import type { Arrival, DirectChannel } from './direct-channel.js';
import { inboxTopic, random128 } from './request-headers.js';

/** The one private place where the replies to a bus's requests arrive. Its name is random, and told to responders only. */
export class ReplyInbox {
  readonly name = random128();
  private readonly topic = inboxTopic(this.name);
  private live = false;
  private opening: Promise<void> | undefined;
  /** There while the connection is lost: resolves when replies arrive again. */
  private away: Promise<void> | undefined;
  private back: () => void = () => {};

  constructor(
    private readonly channel: DirectChannel,
    private readonly onReply: (arrival: Arrival) => void,
    private readonly onMalformed: () => void,
  ) {}

  /** Whether replies arrive now. */
  get receives(): boolean {
    return this.live && this.away === undefined;
  }

  /** Whether that is the end of a time in which replies were missed. */
  missedReplies(status: DriverStatus): boolean {
    return status.type === 'gap' && status.topics.includes(this.topic);
  }

  /** Follows the connection: what begins to wait after `disconnected` waits until it is there again. */
  onDriverStatus(status: DriverStatus): void {
    if (status.type === 'disconnected') this.away ??= new Promise((resolve) => (this.back = resolve));
    else if (status.type === 'connected' || this.missedReplies(status)) {
      this.away = undefined;
      this.back();
    }
  }

  /** Resolves when replies arrive, or when they are not `wanted` any more; rejects when the inbox cannot be opened. */
  async untilReceiving(wanted: () => boolean): Promise<void> {
    while (wanted() && !this.receives) {
      if (this.away) await this.away;
      else await this.open().catch((error) => this.assertAway(error));
    }
  }

  /** A connection that is lost while the inbox is opened is waited for. */
  private assertAway(error: unknown): void {
    if (!this.away) throw error;
  }

  private open(): Promise<void> {
    this.opening ??= this.subscribe().finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  private async subscribe(): Promise<void> {
    await this.channel.subscribe(this.topic, this.onReply, this.onMalformed);
    this.live = true;
  }
}
