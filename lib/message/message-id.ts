import { randomBytes } from 'node:crypto';
import { MessageInvalidError } from '../errors/message.errors.js';

/**
 * A source of message ids, `<22 random characters>-<count>`: 128 random bits name the source, a counter each message,
 * so that an id costs no randomness of its own. Unique across processes; not secret.
 */
export function messageIds(): () => string {
  const source = `${randomBytes(16).toString('base64url')}-`;
  let count = 0;
  return () => source + (count++).toString(36);
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
