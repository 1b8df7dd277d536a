import { ConfigurationError } from './bus.errors.js';
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

/** A call for a group that the topic does not have. */
export function noGroup(topic: string, group: string): ConfigurationError {
  return new ConfigurationError(`The topic "${topic}" has no group ${JSON.stringify(group.slice(0, 80))}`);
}

/** A call that only a paused group, or one without live members, bears. */
export function notPaused(topic: string, group: string, members: number): ConfigurationError {
  return new ConfigurationError(
    `The group "${group}" of "${topic}" has ${members} live members and is not paused: pause it first`,
  );
}
