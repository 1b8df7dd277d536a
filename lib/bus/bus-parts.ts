import type { Lifecycle } from './bus-status.js';
import { Subscriber } from './consume/subscriber.js';
import { errorFields, errorLine } from './options/bus-logger.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import { Publisher } from './publish/publisher.js';
import { type Publishing, TracedPublisher } from './publish/traced-publisher.js';
import { DirectChannel } from './requests/direct-channel.js';
import { replyBufferBytes } from './requests/reply-order.js';
import { Requester } from './requests/requester.js';
import { Responder } from './requests/responder.js';
import { type Requesting, TracedRequester } from './requests/traced-requester.js';
import { MessageDecoder } from './wire/message-decoder.js';

/** What a bus is made of. */
export interface BusParts {
  readonly decoder: MessageDecoder;
  readonly channel: DirectChannel;
  readonly responder: Responder;
  readonly subscriber: Subscriber;
  readonly publisher: Publisher;
  readonly requester: Requester;
  /** Where the publishes of callers go: the publisher, traced where somebody traces. */
  publishing: Publishing;
  /** The same for their requests. */
  requesting: Requesting;
}

/** The label of all reply inboxes together. */
const REPLIES = 'replies';

/** Makes the parts of a bus; connects nothing. */
export function busParts(options: ResolvedOptions, lifecycle: Lifecycle): BusParts {
  const { clock, logger, metrics, requestCodec: codec, maxMessageBytes } = options;
  const decoder = new MessageDecoder(codec, maxMessageBytes);
  const channel = new DirectChannel({ ...options, driver: options.requestDriver, codec, decoder });
  const onUnsent = (topic: string, error: unknown) =>
    logger.warn(`"${topic}": a reply could not be sent: ${errorLine(error)}`, {
      event: 'reply-not-sent',
      topic,
      ...errorFields(error),
    });
  const responder = new Responder({ channel, clock, onUnsent });
  const subscriber = new Subscriber(options, responder, (status) => lifecycle.emit(status));
  const publisher = new Publisher(options, subscriber.expected);
  const requester = new Requester({
    publishTimeoutMs: options.publishTimeoutMs,
    channel,
    clock,
    driver: options.engine,
    maxPending: options.maxPendingRequests,
    replyBufferBytes: replyBufferBytes(maxMessageBytes),
    usable: () => (lifecycle.state === 'ready' ? undefined : options.waitingRoom.connected()),
    check: (...request) => publisher.check(...request),
    publish: (topic, payload, publish) => publisher.publish(topic, payload, publish),
    metricsOf: options.measures ? (topic) => metrics.topic(topic) : undefined,
    onStrayReply: () => {
      metrics.topic(REPLIES).dropped('stray');
      lifecycle.emit({ type: 'dropped', topic: REPLIES, reason: 'stray' });
    },
  });
  const { tracing, labels } = options;
  const publishing = tracing ? new TracedPublisher(publisher, tracing, labels) : publisher;
  const requesting = tracing ? new TracedRequester(requester, tracing, labels) : requester;
  return { decoder, channel, responder, subscriber, publisher, requester, publishing, requesting };
}
