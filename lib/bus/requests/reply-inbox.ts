import type { Message } from '../../message/message.js';
import type { DirectChannel } from './direct-channel.js';
import { inboxTopic, random128 } from './request-headers.js';

/** The one private place where the replies to a bus's requests arrive. Its name is random, and told to responders only. */
export class ReplyInbox {
  private readonly ownName = random128();
  private live = false;
  private opening: Promise<string> | undefined;

  constructor(
    private readonly channel: DirectChannel,
    private readonly onReply: (message: Message) => void,
    private readonly onUnreadable: () => void,
  ) {}

  /** Its name, once it is live. */
  get name(): string | undefined {
    return this.live ? this.ownName : undefined;
  }

  get topic(): string {
    return inboxTopic(this.ownName);
  }

  /** Resolves with its name when it is live. May be tried again after it rejected. */
  open(): Promise<string> {
    this.opening ??= this.subscribe().finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  private async subscribe(): Promise<string> {
    await this.channel.subscribe(this.topic, this.onReply, this.onUnreadable);
    this.live = true;
    return this.ownName;
  }
}
