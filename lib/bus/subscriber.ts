import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { HandlerMissingError } from '../errors/handler.errors.js';
import { assertTopicOrPattern, isTopicPattern } from '../message/topic-pattern.js';
import type { DropReason } from '../metrics/metrics.js';
import { compose, type Handler, type Middleware } from '../middleware/middleware.js';
import { recover } from '../middleware/recover.js';
import { retry } from '../middleware/retry.js';
import { timeout } from '../middleware/timeout.js';
import { validate } from '../middleware/validate.js';
import { type BatchHandler, batched, resolveBatch } from './batch.js';
import { errorLine } from './bus-logger.js';
import type { MessageHandler, SubscribeOptions } from './bus-options.js';
import { InOrderDecoder } from './in-order-decoder.js';
import { orderedByKey } from './key-order.js';
import { offered } from './offered.js';
import type { Responder } from './requests/responder.js';
import type { ResolvedOptions } from './resolved-options.js';
import { BusSubscription, type Subscription } from './subscription.js';
import type { ResolvedTopic } from './topic-table.js';

/** A subscription that was asked for, checked and complete. */
export interface Wanted {
  readonly topic: string;
  /** What metrics and logs call it. */
  readonly label: string;
  readonly policy: ResolvedTopic;
  readonly handler: Handler;
}

/** The subscriptions of a bus. */
export class Subscriber {
  /** Those that are live, or about to be. */
  readonly subscriptions = new Set<BusSubscription>();
  private draining = false;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly responder: Responder,
    private readonly onDropped: (topic: string, reason: DropReason) => void,
  ) {}

  /** Throws TopicInvalidError, HandlerMissingError or ConfigurationError for what the caller got wrong. */
  check(topic: string, handler: MessageHandler | BatchHandler, options: SubscribeOptions): Wanted {
    assertTopicOrPattern(topic);
    if (typeof handler !== 'function') throw new HandlerMissingError(topic);
    const policy = this.options.topics.get(topic, options);
    this.assertOffered(topic, policy);
    this.options.topics.assertAgrees(topic, policy);
    return {
      topic,
      label: options.label ?? topic,
      policy: dispatchPolicy(policy, options),
      handler: this.chain(topic, policy, handler, options),
    };
  }

  /** Resolves when the subscription is live. */
  async open(wanted: Wanted): Promise<Subscription> {
    if (this.draining) throw new ClosedError('The bus is draining');
    const subscription = this.make(wanted);
    this.subscriptions.add(subscription);
    try {
      const { delivery, group, startFrom, concurrency, prefetch } = wanted.policy;
      const exclusive = wanted.policy.ordered && delivery === 'at-least-once';
      const { bare } = this.options.wires.of(wanted.policy.wire);
      const options = { delivery, group, startFrom, maxInFlight: concurrency + prefetch, exclusive, bare };
      subscription.attach(await this.options.driver.subscribe(wanted.topic, options, subscription.receive));
    } catch (error) {
      this.subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  /** Stops reading everywhere and resolves when all running handlers are settled, or abandoned. Takes no new subscription. */
  async close(): Promise<void> {
    this.draining = true;
    const untilAbandoned = Number.POSITIVE_INFINITY;
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close(untilAbandoned)));
  }

  /** Takes their time from handlers that still run. */
  abandon(): void {
    for (const subscription of this.subscriptions) subscription.abandon();
  }

  private assertOffered(topic: string, { delivery, ordered, wire }: ResolvedTopic): void {
    const { driver, wires } = this.options;
    const capabilities = offered(driver, delivery, wires.of(wire));
    if (isTopicPattern(topic) && !capabilities.patterns) {
      throw new ConfigurationError(`The driver "${driver.name}" has no topic patterns ${delivery}`);
    }
    if (ordered && delivery === 'at-least-once' && !capabilities.exclusive) {
      throw new ConfigurationError(`The driver "${driver.name}" cannot keep the order of keys ${delivery}`);
    }
  }

  /** Built once per subscription: the replies to requests outermost, then recover, then the time limit, the bus's middleware, the subscription's. */
  private chain(
    topic: string,
    policy: ResolvedTopic,
    handler: MessageHandler | BatchHandler,
    options: SubscribeOptions,
  ): Handler {
    const { middleware = [], schema, batch, label = topic } = options;
    const { clock, metrics } = this.options;
    const answering = this.responder.middleware((reason) => {
      metrics.topic(label).dropped(reason);
      this.onDropped(label, reason);
    });
    const chain: Middleware[] = [answering, recover];
    if (policy.ordered) chain.push(orderedByKey(policy.concurrency), retry(policy, clock));
    chain.push(timeout(policy.timeoutMs, clock), ...this.options.middleware, ...middleware);
    if (schema) chain.push(validate(schema));
    return compose(
      chain,
      batch
        ? batched(handler as BatchHandler, resolveBatch(batch), clock)
        : (context) => (handler as MessageHandler)(context.message.payload, context),
    );
  }

  private make(wanted: Wanted): BusSubscription {
    const { clock, logger, metrics, wires, shutdownTimeoutMs } = this.options;
    const { label, policy } = wanted;
    const wire = wires.of(policy.wire);
    return new BusSubscription({
      ...wanted,
      open: (delivery) => wire.open(delivery),
      decoder: policy.ordered ? new InOrderDecoder(wire.reader) : wire.reader,
      metrics: metrics.topic(label),
      clock,
      graceMs: shutdownTimeoutMs,
      onClosed: (subscription) => this.subscriptions.delete(subscription),
      report: {
        dropped: (reason) => this.onDropped(label, reason),
        failedToSettle: (error) =>
          logger.error(`"${label}": an outcome could not be recorded: ${errorLine(error)}`),
        abandoned: (graceMs) =>
          logger.warn(`"${label}": handlers still run ${graceMs} ms after closing; not waiting any longer`),
        failed: ({ id, attempt }, error) =>
          logger.warn(`"${label}": attempt ${attempt} of message ${id} failed: ${errorLine(error)}`),
      },
    });
  }
}

/** Messages of an ordered fan-out subscription that may wait for their key's turn without holding up other keys. */
const ORDERED_WINDOW = 1_000;

/**
 * The policy as the dispatcher and the settlement need it. A batch holds as many places as it has messages. Where keys
 * keep their order, messages wait for their turn behind the dispatcher and are retried in place.
 */
function dispatchPolicy(policy: ResolvedTopic, { batch }: SubscribeOptions): ResolvedTopic {
  const { concurrency, prefetch, ordered, delivery } = policy;
  if (batch && ordered) throw new ConfigurationError('batch and orderBy exclude each other');
  if (batch) {
    const places = concurrency * resolveBatch(batch).size;
    return { ...policy, concurrency: places, prefetch: Math.max(prefetch, places) };
  }
  if (!ordered) return policy;
  const places = delivery === 'at-least-once' ? concurrency + prefetch : concurrency + ORDERED_WINDOW;
  return { ...policy, attempts: 1, concurrency: places, prefetch: 0 };
}
