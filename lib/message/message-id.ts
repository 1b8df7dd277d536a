import { randomBytes } from 'node:crypto';
import { MessageInvalidError } from '../errors/message.errors.js';

/**
 * The ids of messages that one publisher sends to one topic: `<22 random characters>-<topic's number>-<count>`. 128
 * random bits name the publisher, a counter each message, so that an id costs no randomness of its own, and successive
 * messages can travel with the id of the first. Unique across processes; not secret.
 */
export class MessageIdSource {
  private count = 0;

  constructor(readonly prefix: string) {}

  /** The number of the next message; its id is the prefix and the number. */
  next(): number {
    return this.count++;
  }
}

/** Makes the sources of one publisher. */
export function messageIdSources(): () => MessageIdSource {
  const publisher = randomBytes(16).toString('base64url');
  let count = 0;
  return () => new MessageIdSource(`${publisher}-${(count++).toString(36)}-`);
}

/** A function that makes ids one by one. */
export function messageIds(): () => string {
  const source = messageIdSources()();
  return () => source.prefix + source.next();
}

const printable = /^[\x21-\x7e]{1,200}$/;

/** Returns an ordering key if it has 1 to 200 printable ASCII characters; throws {@link MessageInvalidError}. */
export function assertKey(key: unknown): string {
  if (typeof key === 'string' && printable.test(key)) return key;
  throw new MessageInvalidError('A key must have 1 to 200 printable ASCII characters and no space');
}

/** Returns a caller's own id if it has 1 to 200 printable ASCII characters; throws {@link MessageInvalidError}. */
export function assertMessageId(id: unknown): string {
  if (typeof id !== 'string' || !printable.test(id)) {
    throw new MessageInvalidError('A message id must have 1 to 200 printable ASCII characters and no space');
  }
  return id;
}
