import { type Definition, isDefinition } from '../../contract/definition.js';
import { fromNobodysContext } from '../../driver/async-context.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../../errors/bus.errors.js';
import { HandlerMissingError } from '../../errors/handler.errors.js';
import { assertTopicOrPattern, isTopicPattern } from '../../message/topic-pattern.js';
import type { HandlerMetrics, TopicMetrics } from '../../metrics/metrics.js';
import { noopMetrics } from '../../metrics/noop-metrics.js';
import type { BusStatus } from '../bus-status.js';
import { subscribeKinds } from '../options/bus-option-kinds.js';
import type { HandlerSubscribeOptions, MessageHandler } from '../options/bus-options.js';
import { ExpectedSubscriptions } from '../options/expected-subscriptions.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import type { Responder } from '../requests/responder.js';
import { InOrderDecoder } from '../wire/message-decoder.js';
import { offered } from '../wire/offered.js';
import type { BatchHandler } from './batch.js';
import { dispatchPolicy } from './dispatch-policy.js';
import { handlerChain } from './handler-chain.js';
import { StartGate } from './start-gate.js';
import { BusSubscription, type Subscription } from './subscription.js';
import { SubscriptionLog } from './subscription-log.js';
import { type SubscriptionStatus, statusOf } from './subscription-status.js';
import { subscriptionTracing } from './subscription-tracing.js';
import type { OwnSubscribeOptions, Wanted } from './wanted.js';

/** The subscriptions of a bus. */
export class Subscriber {
  /** Those that are asked for, and those that are live. */
  readonly expected = new ExpectedSubscriptions<Wanted>();
  private readonly subscriptions = new Set<BusSubscription>();
  private defaultNameTold = false;
  private draining = false;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly responder: Responder,
    private readonly tell: (status: BusStatus) => void,
  ) {}

  /**
   * Announces a subscription: what contradicts it is refused from now on, and others hear of it. Throws TopicInvalidError
   * or ConfigurationError for what the caller got wrong.
   */
  declare(topicOrDefinition: string | Definition, options: HandlerSubscribeOptions, name: string): Wanted {
    const definition = isDefinition(topicOrDefinition) ? topicOrDefinition : undefined;
    const topic = this.options.contracts.nameOf(topicOrDefinition);
    assertTopicOrPattern(topic);
    assertOptions(`subscribe("${topic}")`, options, subscribeKinds, { path: `"${topic}"` });
    const policy = this.options.topics.get(topic, options);
    this.assertOffered(topic, policy);
    this.options.topics.assertAgrees(topic, policy);
    return this.expect({ topic, policy, options, definition }, name);
  }

  /** The same for one of the bus's own topics, which callers cannot name. */
  declareOwn(topic: string, { traced, ...options }: OwnSubscribeOptions, name: string): Wanted {
    const policy = this.options.topics.own(topic, options);
    this.assertOffered(topic, policy);
    return this.expect({ topic, policy, options, own: { traced } }, name);
  }

  private expect(
    asked: Pick<Wanted, 'topic' | 'policy' | 'options' | 'own' | 'definition'>,
    name: string,
  ): Wanted {
    const { topic, policy, options } = asked;
    const dispatch = dispatchPolicy(policy, options);
    const { label = topic, shared = false } = options;
    const wanted = { ...asked, dispatch, name: options.name ?? name, shared, label };
    this.expected.add(wanted);
    this.tellDefaultName(wanted);
    return wanted;
  }

  /** Every subscription that is announced or live, in the order of their announcement. */
  statuses(): SubscriptionStatus[] {
    const opened = new Map([...this.subscriptions].map((each) => [each.policy, each]));
    return this.expected.list.map((wanted) => statusOf(wanted, opened.get(wanted.dispatch)));
  }

  /** Settles as `opening` does; where that rejects, the announcement is withdrawn. */
  async orWithdraw(wanted: Wanted, opening: Promise<Subscription>): Promise<Subscription> {
    try {
      return await opening;
    } catch (error) {
      this.expected.delete(wanted);
      throw error;
    }
  }

  /**
   * Resolves when the subscription is live. Rejects with HandlerMissingError, ClosedError and what the driver rejects with;
   * the announcement is then the caller's to withdraw.
   */
  async open(wanted: Wanted, handler: MessageHandler | BatchHandler): Promise<Subscription> {
    if (typeof handler !== 'function') throw new HandlerMissingError(wanted.topic);
    if (this.draining) throw new ClosedError('The bus is draining');
    const subscription = this.make(wanted, handler);
    this.subscriptions.add(subscription);
    try {
      const { delivery, group, startFrom, concurrency, prefetch } = wanted.dispatch;
      const exclusive = wanted.policy.ordered && delivery === 'at-least-once';
      const { bare } = this.options.wires.of(wanted.policy.wire);
      const options = {
        delivery,
        group,
        startFrom,
        maxInFlight: concurrency + prefetch,
        exclusive,
        bare,
        tellsBegin: true,
        onMissed: subscription.missed,
        onSetting: subscription.isSet,
      };
      const { driver } = this.options;
      // Its readers outlive whatever subscribes.
      subscription.attach(
        await fromNobodysContext(() => driver.subscribe(wanted.topic, options, subscription.receive)),
      );
    } catch (error) {
      this.subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  /**
   * Stops reading everywhere and resolves when all running handlers are settled, or abandoned. Takes no new subscription.
   * What is stored is not read from now on; what is sent to this process alone is, until `farewell` has resolved.
   */
  async close(farewell: Promise<unknown> | undefined): Promise<void> {
    this.draining = true;
    const untilAbandoned = Number.POSITIVE_INFINITY;
    const closing = [...this.subscriptions].map(async (subscription) => {
      if (farewell && subscription.policy.delivery === 'at-most-once') await farewell;
      await subscription.close(untilAbandoned);
    });
    await Promise.all(closing);
  }

  /** Takes their time from handlers that still run. */
  abandon(): void {
    for (const subscription of this.subscriptions) subscription.abandon();
  }

  /** Two services that forgot their names would share one group, and each would miss what the other got. */
  private tellDefaultName({ name, policy, options: { group } }: Wanted): void {
    const { serviceSource, service, logger } = this.options;
    if (serviceSource === 'given' || policy.delivery !== 'at-least-once' || group !== undefined) return;
    if (this.defaultNameTold) return;
    this.defaultNameTold = true;
    const origin = serviceSource === 'package' ? 'the name in package.json' : 'the last resort';
    logger.warn(
      `No service is named, so ${name} reads in the group of "${service}" (${origin}). Every other service with that name takes a part of its messages: set the option service`,
      { event: 'service-not-named', handler: name, group: service },
    );
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

  /** Only while all that could answer are paused; of those on the same name one, as the server counts them as one. */
  private speaksFor(paused: BusSubscription, topic: string): boolean {
    const able = [...this.subscriptions].filter(
      (each) => each.policy.delivery === 'at-most-once' && each.matches(topic),
    );
    return able.every((each) => each.paused) && able.find((each) => each.topic === paused.topic) === paused;
  }

  private make(wanted: Wanted, handler: MessageHandler | BatchHandler): BusSubscription {
    const { clock, logger, metrics, wires, shutdownTimeoutMs } = this.options;
    const { topic, label, policy, dispatch } = wanted;
    const wire = wires.of(policy.wire);
    const gate = new StartGate();
    const log = new SubscriptionLog(logger, wanted, this.tell);
    const tracing = subscriptionTracing(this.options, wanted);
    return new BusSubscription({
      topic,
      policy: dispatch,
      handler: handlerChain(
        { ...this.options, responder: this.responder, gate, log, tracing },
        wanted,
        handler,
      ),
      gate,
      wire,
      reader: policy.ordered ? new InOrderDecoder(wire.reader) : wire.reader,
      responder: this.responder,
      speaksFor: (paused, topic) => this.speaksFor(paused, topic),
      metrics: measured(metrics.topic(label), metrics.handler(label, log.group, wanted.name)),
      tracing,
      clock,
      graceMs: shutdownTimeoutMs,
      onClosed: (subscription) => {
        this.subscriptions.delete(subscription);
        this.expected.delete(wanted);
      },
      log,
    });
  }
}

/** `topic`, with attempts counted by `handler` as well. */
function measured(topic: TopicMetrics, handler: HandlerMetrics): TopicMetrics {
  if (topic === noopMetrics.topic('')) return topic;
  return {
    ...topic,
    processed: (status, seconds) => {
      topic.processed(status, seconds);
      handler.processed(status, seconds);
    },
  };
}

/** What errors and logs call a handler. */
export function handlerName({ name }: { name: string }): string {
  return name === '' || name === 'handler' ? 'a handler' : `the handler "${name.slice(0, 100)}"`;
}
