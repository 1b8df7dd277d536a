import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { HandlerMissingError } from '../errors/handler.errors.js';
import { assertTopicOrPattern, isTopicPattern } from '../message/topic-pattern.js';
import type { DropReason } from '../metrics/metrics.js';
import { compose, type Handler, type Middleware } from '../middleware/middleware.js';
import { recover } from '../middleware/recover.js';
import { timeout } from '../middleware/timeout.js';
import { validate } from '../middleware/validate.js';
import { type BatchHandler, batched, resolveBatch } from './batch.js';
import { errorLine } from './bus-logger.js';
import type { MessageHandler, SubscribeOptions } from './bus-options.js';
import type { MessageDecoder } from './message-decoder.js';
import type { ResolvedOptions } from './resolved-options.js';
import { BusSubscription, type Subscription } from './subscription.js';
import type { ResolvedTopic } from './topic-table.js';

/** A subscription that was asked for, checked and complete. */
export interface Wanted {
  readonly topic: string;
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
    private readonly decoder: MessageDecoder,
    private readonly onDropped: (topic: string, reason: DropReason) => void,
  ) {}

  /** Throws TopicInvalidError, HandlerMissingError or ConfigurationError for what the caller got wrong. */
  check(topic: string, handler: MessageHandler | BatchHandler, options: SubscribeOptions): Wanted {
    assertTopicOrPattern(topic);
    if (typeof handler !== 'function') throw new HandlerMissingError(topic);
    const policy = policyOf(this.options.topics.get(topic, options), options);
    this.assertOffered(topic, policy);
    this.options.topics.assertAgrees(topic, policy.delivery);
    return { topic, policy, handler: this.chain(policy, handler, options) };
  }

  /** Resolves when the subscription is live. */
  async open(wanted: Wanted): Promise<Subscription> {
    if (this.draining) throw new ClosedError('The bus is draining');
    const subscription = this.make(wanted);
    this.subscriptions.add(subscription);
    try {
      const { delivery, group, startFrom, concurrency, prefetch } = wanted.policy;
      const options = { delivery, group, startFrom, maxInFlight: concurrency + prefetch };
      subscription.attach(await this.options.driver.subscribe(wanted.topic, options, subscription.receive));
    } catch (error) {
      this.subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  /** Stops reading everywhere and resolves when all running handlers are settled. Takes no new subscription. */
  async close(): Promise<void> {
    this.draining = true;
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
  }

  /** Takes their time from handlers that still run. */
  abandon(): void {
    for (const subscription of this.subscriptions) subscription.abandon();
  }

  private assertOffered(topic: string, { delivery }: ResolvedTopic): void {
    const { driver } = this.options;
    const capabilities = driver.capabilities[delivery];
    if (!capabilities) throw new ConfigurationError(`The driver "${driver.name}" does not offer ${delivery}`);
    if (isTopicPattern(topic) && !capabilities.patterns) {
      throw new ConfigurationError(`The driver "${driver.name}" has no topic patterns ${delivery}`);
    }
  }

  /** Built once per subscription: recover outermost, then the time limit, the bus's middleware, the subscription's. */
  private chain(
    policy: ResolvedTopic,
    handler: MessageHandler | BatchHandler,
    options: SubscribeOptions,
  ): Handler {
    const { middleware = [], schema, batch } = options;
    const chain: Middleware[] = [recover, timeout(policy.timeoutMs, this.options.clock)];
    chain.push(...this.options.middleware, ...middleware);
    if (schema) chain.push(validate(schema));
    return compose(
      chain,
      batch
        ? batched(handler as BatchHandler, resolveBatch(batch), this.options.clock)
        : (context) => (handler as MessageHandler)(context.message.payload, context),
    );
  }

  private make(wanted: Wanted): BusSubscription {
    const { clock, logger, metrics } = this.options;
    const { topic } = wanted;
    return new BusSubscription({
      ...wanted,
      decoder: this.decoder,
      metrics: metrics.topic(topic),
      clock,
      onClosed: (subscription) => this.subscriptions.delete(subscription),
      report: {
        dropped: (reason) => this.onDropped(topic, reason),
        failedToSettle: (error) =>
          logger.error(`"${topic}": an outcome could not be recorded: ${errorLine(error)}`),
        failed: ({ id, attempt }, error) =>
          logger.warn(`"${topic}": attempt ${attempt} of message ${id} failed: ${errorLine(error)}`),
      },
    });
  }
}

/** A batch holds as many places as it has messages, so its size multiplies the places. */
function policyOf(policy: ResolvedTopic, { batch }: SubscribeOptions): ResolvedTopic {
  if (!batch) return policy;
  const concurrency = policy.concurrency * resolveBatch(batch).size;
  return { ...policy, concurrency, prefetch: Math.max(policy.prefetch, concurrency) };
}
