import { DiscoBusError } from './disco-bus-error.js';

/** What an operator asked for would have lost messages that a group has not handled. Nothing was done; ask for the loss by name. */
export class WouldLoseMessagesError extends DiscoBusError {
  readonly code = 'DISCO_WOULD_LOSE_MESSAGES';

  constructor(
    readonly topic: string,
    readonly group: string,
    readonly messages: number,
    /** What has to be said to do it all the same. */
    consent: string,
  ) {
    super(
      `"${topic}": the group "${group}" has not handled ${messages} messages that would be lost: ${consent}`,
    );
  }
}
