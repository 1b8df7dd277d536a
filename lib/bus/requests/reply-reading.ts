import type { Message } from '../../message/message.js';
import { turnBudget } from '../../timing/turn-budget.js';
import type { Arrival, DirectChannel } from './direct-channel.js';

/** Reads replies: of many that take long, those that follow are read in a turn to come. */
export class ReplyReading {
  constructor(private readonly channel: DirectChannel) {}

  /** The message of a reply. Throws or rejects when it cannot be read. */
  read(arrival: Arrival): Message | Promise<Message> {
    return turnBudget.spent ? this.readLater(arrival) : this.readNow(arrival);
  }

  /** Within its later turn, so that what it takes is spent before the next one is begun there. */
  private readLater(arrival: Arrival): Promise<Message> {
    return new Promise((resolve, reject) =>
      turnBudget.later(() => {
        try {
          resolve(this.readNow(arrival));
        } catch (error) {
          reject(error);
        }
      }),
    );
  }

  private readNow(arrival: Arrival): Message | Promise<Message> {
    return turnBudget.spendOn(() => this.channel.read(arrival));
  }
}
