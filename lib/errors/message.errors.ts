import { DiscoBusError } from './disco-bus-error.js';

/** A topic or a topic pattern is outside the grammar, or reserved. */
export class TopicInvalidError extends DiscoBusError {
  readonly code = 'DISCO_TOPIC_INVALID';
}

/** The topic is empty (`ErrTopicEmpty` of the Go library). */
export class TopicEmptyError extends TopicInvalidError {
  constructor() {
    super('The topic is empty');
  }
}

/** The payload is `undefined` (`ErrNilMessage` of the Go library). Publish `null` to say "nothing". */
export class MessageUndefinedError extends DiscoBusError {
  readonly code = 'DISCO_MESSAGE_UNDEFINED';

  constructor(topic: string) {
    super(`The payload for topic "${topic}" is undefined; publish null to say "nothing"`);
  }
}

/** A header, an id or another part of the message besides its payload is malformed. */
export class MessageInvalidError extends DiscoBusError {
  readonly code = 'DISCO_MESSAGE_INVALID';
}

/** The encoded payload exceeds `maxMessageSize`, measured before compression. Nothing was written. */
export class MessageTooLargeError extends DiscoBusError {
  readonly code = 'DISCO_MESSAGE_TOO_LARGE';

  constructor(
    readonly sizeBytes: number,
    readonly limitBytes: number,
  ) {
    super(`The message has ${sizeBytes} bytes; the limit is ${limitBytes}`);
  }
}

/** A value could not be encoded, or bytes could not be decoded: corrupt, truncated, hostile, or of an unknown version. */
export class CodecError extends DiscoBusError {
  readonly code = 'DISCO_CODEC';
  /**
   * Where in the payload the value stands that cannot be encoded, as `order.items[2].tags`; `''` for the payload itself,
   * undefined where the error is about no single value. At most about 200 characters.
   */
  readonly path: string | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly path?: string | undefined }) {
    super(message, options);
    this.path = options?.path;
  }
}
