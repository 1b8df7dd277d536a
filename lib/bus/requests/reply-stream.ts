/** Where the replies to one request go. What is given after the end is ignored. */
export interface ReplySink {
  /** One reply; more follow. */
  value(payload: unknown): void;
  /** One reply, and the end. */
  last(payload: unknown): void;
  /** The end. */
  end(): void;
  /** The failure, told to the requester as it is, and the end. */
  fail(details: unknown): void;
  /** Nothing more comes from here, and the requester is not told: others may answer too. */
  leave(): void;
}

/** Ends the work behind a stream of replies: nobody waits for it any more, and that it throws or rejects changes nothing. */
export type StopReplies = () => unknown;

/** Also of another copy of this package, as a transport may bring one. */
const REPLY_STREAM = Symbol.for('nestjs-disco-bus:reply-stream');

/** Whether `value` is a {@link ReplyStream}. */
export function isReplyStream(value: unknown): value is ReplyStream {
  return typeof value === 'object' && value !== null && (value as ReplyStream)[REPLY_STREAM] === true;
}

/**
 * What a handler returns to answer a request with any number of replies. `start` is called once, when the replies can be
 * sent; what it returns is called when the requester has gone, its time is up, or the bus closes.
 */
export class ReplyStream {
  /** @internal */
  readonly [REPLY_STREAM] = true;

  constructor(
    readonly start: (sink: ReplySink) => StopReplies | undefined,
    /** Headers of every value, beside the bus's own. */
    readonly headers?: Readonly<Record<string, string>>,
  ) {}
}

/** Whether `value` is to be answered item by item. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AsyncIterable<unknown>)[Symbol.asyncIterator] === 'function'
  );
}

/** The items of `items` as replies. Stopping asks the iterator to return. */
export function replyStreamOf(items: AsyncIterable<unknown>): ReplyStream {
  return new ReplyStream((sink) => {
    const iterator = items[Symbol.asyncIterator]();
    let stopped = false;
    const run = async () => {
      for (let item = await iterator.next(); !item.done && !stopped; item = await iterator.next()) {
        sink.value(item.value);
      }
      sink.end();
    };
    run().catch((error: unknown) => sink.fail(failureOf(error)));
    return () => {
      stopped = true;
      return iterator.return?.();
    };
  });
}

/** What a requester may know of an error: its name, message and code, and never a stack. Total, whatever an error holds. */
export function failureOf(error: unknown): Failure {
  try {
    if (typeof error === 'object' && error !== null) return readFailure(error);
  } catch {
    // An error that cannot be read is told as one that says nothing.
  }
  return { name: 'Error', message: 'The handler failed' };
}

interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
}

function readFailure(error: object): Failure {
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown };
  return {
    name: typeof name === 'string' ? name.slice(0, 100) : 'Error',
    message: typeof message === 'string' ? message.slice(0, 1000) : 'The handler failed',
    ...(typeof code === 'string' && { code: code.slice(0, 100) }),
  };
}

/** What a handler may return that answers a request with `Replied`. One that returns undefined does not answer. */
export type Answers<Replied> =
  | Replied
  | undefined
  | AsyncIterable<Replied>
  | ReplyStream
  | Promise<Replied | undefined | AsyncIterable<Replied> | ReplyStream>;
