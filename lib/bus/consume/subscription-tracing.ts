import type { Delivery } from '../../driver/delivery.js';
import type { Message } from '../../message/message.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { type Handler, isThenable } from '../../middleware/middleware.js';
import type { Trace, TracedMessage, TracedSettlement, Tracing } from '../../tracing/tracing.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import {
  isAsyncIterable,
  isReplyStream,
  type ReplySink,
  ReplyStream,
  replyStreamOf,
} from '../requests/reply-stream.js';
import { REPLY_TO_HEADER } from '../requests/request-headers.js';
import type { BatchHandler } from './batch.js';
import type { Wanted } from './wanted.js';

/** How the messages of a subscription are traced. */
export interface TracedSubscription {
  readonly tracing: Tracing;
  readonly label: string | undefined;
  /** Undefined at most once. */
  readonly group: string | undefined;
  /** Whether a message is one of a caller's, and not a question of the bus's own. */
  readonly wanted: (context: DiscoMessageContext) => boolean;
}

/** What is known of a message while it is handled. */
interface Known {
  readonly delivery: Delivery;
  /** Of its last attempt. */
  trace?: Trace;
}

/** Traces what one subscription does with its messages. */
export class SubscriptionTracing {
  private readonly known = new WeakMap<Message, Known>();

  constructor(private readonly traced: TracedSubscription) {}

  /** The message was read, and is about to be handled. */
  took(message: Message, delivery: Delivery): void {
    this.known.set(message, { delivery });
  }

  /** Middleware for each attempt on a single message. */
  readonly attempts = (next: Handler): Handler => {
    const { tracing, label, group, wanted } = this.traced;
    return (context) => {
      if (!wanted(context)) return next(context);
      const { topic } = context;
      const trace = tracing.begin({
        type: 'process',
        topic,
        label,
        group,
        message: this.tracedMessage(context),
      });
      this.note(context, trace);
      return untilEnded(trace, context, () => next(context));
    };
  };

  /** The same for a handler of batches: one for each call. */
  batches(handler: BatchHandler): BatchHandler {
    const { tracing, label, group } = this.traced;
    return async (payloads, batch) => {
      const messages = batch.messages.map((context) => this.tracedMessage(context));
      const topics = new Set(batch.messages.map(({ topic }) => topic));
      const topic = topics.size === 1 ? batch.messages[0].topic : undefined;
      const trace = tracing.begin({ type: 'process-batch', topic, label, group, messages });
      for (const context of batch.messages) this.note(context, trace);
      try {
        const result = await trace.run(() => handler(payloads, batch));
        trace.end();
        return result;
      } catch (error) {
        trace.end({ error });
        throw error;
      }
    };
  }

  /** Runs `settle`, which records what becomes of a message that was not handled, as a part of its last attempt. */
  settling(
    message: Message | undefined,
    outcome: TracedSettlement['outcome'],
    settle: () => Promise<void>,
  ): Promise<void> {
    const attempt = message && this.known.get(message)?.trace;
    if (!message || !attempt) return settle();
    const { tracing, label, group } = this.traced;
    const { topic, id } = message;
    const trace = attempt.run(() => tracing.begin({ type: 'settle', topic, label, outcome, id, group }));
    const settling = settle();
    settling.then(
      () => trace.end(),
      (error: unknown) => trace.end({ error }),
    );
    return settling;
  }

  private note({ message }: DiscoMessageContext, trace: Trace): void {
    const known = this.known.get(message);
    if (known) known.trace = trace;
  }

  private tracedMessage({ message, attempt }: DiscoMessageContext): TracedMessage {
    const { id, headers, timestamp } = message;
    const known = this.known.get(message);
    const replayed = (known?.delivery.replays ?? 0) > 0;
    return { id, headers, timestamp, attempt, replayed, first: known?.trace === undefined };
  }
}

/** How the subscription `wanted` is traced; undefined where it is not. */
export function subscriptionTracing(
  { tracing, labels }: Pick<ResolvedOptions, 'tracing' | 'labels'>,
  { label, policy, own }: Wanted,
): SubscriptionTracing | undefined {
  if (!tracing || (own && !own.traced)) return undefined;
  const { as: name, wanted } = own?.traced ?? { as: label, wanted: () => true };
  const group = policy.delivery === 'at-least-once' ? policy.group : undefined;
  return new SubscriptionTracing({ tracing, label: labels.known(name), group, wanted });
}

/** Calls `work` within `trace`, which ends with what it returns: a promise, or the replies to a request. */
function untilEnded(trace: Trace, context: DiscoMessageContext, work: () => unknown): unknown {
  const failed = (error: unknown): never => {
    trace.end({ error });
    throw error;
  };
  const returned = (value: unknown): unknown => {
    const replies = context.headers[REPLY_TO_HEADER] === undefined ? undefined : repliesIn(value);
    if (replies) return tracedReplies(replies, trace, context.signal);
    trace.end();
    return value;
  };
  try {
    const result = trace.run(work);
    return isThenable(result) ? result.then(returned, failed) : returned(result);
  } catch (error) {
    return failed(error);
  }
}

function repliesIn(value: unknown): ReplyStream | undefined {
  if (isReplyStream(value)) return value;
  return isAsyncIterable(value) ? replyStreamOf(value) : undefined;
}

/** The same replies: the work behind them runs within `trace`, which ends with the last one, or when nobody waits any more. */
function tracedReplies(replies: ReplyStream, trace: Trace, signal: AbortSignal): ReplyStream {
  const calledOff = () => trace.end({ error: signal.reason });
  if (signal.aborted) calledOff();
  else signal.addEventListener('abort', calledOff, { once: true });
  const start = (sink: ReplySink) => trace.run(() => replies.start(new TracedSink(sink, trace)));
  return new ReplyStream(start, replies.headers);
}

class TracedSink implements ReplySink {
  constructor(
    private readonly sink: ReplySink,
    private readonly trace: Trace,
  ) {}

  value(payload: unknown): void {
    this.sink.value(payload);
  }

  last(payload: unknown): void {
    this.trace.end();
    this.sink.last(payload);
  }

  end(): void {
    this.trace.end();
    this.sink.end();
  }

  fail(details: unknown): void {
    this.trace.end({ error: details });
    this.sink.fail(details);
  }

  leave(): void {
    this.trace.end();
    this.sink.leave();
  }
}
