import type { DeadLettersFull } from '../../driver/driver-status.js';
import type { GroupSetting } from '../../driver/group-setting.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../../errors/bus.errors.js';
import { HandlerMissingError } from '../../errors/handler.errors.js';
import { assertTopicOrPattern, isTopicPattern } from '../../message/topic-pattern.js';
import type { DropReason } from '../../metrics/metrics.js';
import { inAttempt } from '../../middleware/attempt-scope.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { compose, type Handler, type Middleware } from '../../middleware/middleware.js';
import { recover } from '../../middleware/recover.js';
import { retry } from '../../middleware/retry.js';
import { type TimeoutListener, timeout } from '../../middleware/timeout.js';
import { validate } from '../../middleware/validate.js';
import { beginning } from '../delivery-context.js';
import { type BusLogger, errorLine, stackOf } from '../options/bus-logger.js';
import { subscribeKinds } from '../options/bus-option-kinds.js';
import type { HandlerSubscribeOptions, MessageHandler } from '../options/bus-options.js';
import { type ExpectedSubscription, ExpectedSubscriptions } from '../options/expected-subscriptions.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import type { Responder } from '../requests/responder.js';
import { offered } from '../wire/offered.js';
import { type BatchHandler, batched, resolveBatch } from './batch.js';
import { InOrderDecoder } from './in-order-decoder.js';
import { orderedByKey } from './key-order.js';
import type { FailedAttempt, Outcome } from './settlement.js';
import { heldBack, StartGate } from './start-gate.js';
import { BusSubscription, type DispatchPolicy, type Subscription } from './subscription.js';

/** A subscription that was asked for: checked, complete, and counted among those that others have to agree with. */
export interface Wanted extends ExpectedSubscription {
  /** What metrics and logs call it. */
  readonly label: string;
  /** The policy as the dispatcher and the settlement need it. */
  readonly dispatch: DispatchPolicy;
  readonly options: HandlerSubscribeOptions;
}

/** The subscriptions of a bus. */
export class Subscriber {
  /** Those that are asked for, and those that are live. */
  readonly expected = new ExpectedSubscriptions();
  private readonly subscriptions = new Set<BusSubscription>();
  private defaultNameTold = false;
  private draining = false;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly responder: Responder,
    private readonly onDropped: (topic: string, reason: DropReason) => void,
  ) {}

  /**
   * Announces a subscription: what contradicts it is refused from now on, and others hear of it. Throws TopicInvalidError
   * or ConfigurationError for what the caller got wrong.
   */
  declare(topic: string, options: HandlerSubscribeOptions, name: string): Wanted {
    assertTopicOrPattern(topic);
    assertOptions(`subscribe("${topic}")`, options, subscribeKinds, { path: `"${topic}"` });
    const policy = this.options.topics.get(topic, options);
    this.assertOffered(topic, policy);
    this.options.topics.assertAgrees(topic, policy);
    return this.expect(topic, policy, options, name);
  }

  /** The same for one of the bus's own topics, which callers cannot name. */
  declareOwn(topic: string, options: HandlerSubscribeOptions, name: string): Wanted {
    const policy = this.options.topics.own(topic, options);
    this.assertOffered(topic, policy);
    return this.expect(topic, policy, options, name);
  }

  private expect(
    topic: string,
    policy: ResolvedTopic,
    options: HandlerSubscribeOptions,
    name: string,
  ): Wanted {
    const dispatch = dispatchPolicy(policy, options);
    const { label = topic, shared = false } = options;
    const wanted = { topic, policy, dispatch, name: options.name ?? name, shared, label, options };
    this.expected.add(wanted);
    this.tellDefaultName(wanted);
    return wanted;
  }

  /** The subscription is not wanted any more. */
  withdraw(wanted: Wanted): void {
    this.expected.delete(wanted);
  }

  /** Settles as `opening` does; where that rejects, the announcement is withdrawn. */
  async orWithdraw(wanted: Wanted, opening: Promise<Subscription>): Promise<Subscription> {
    try {
      return await opening;
    } catch (error) {
      this.withdraw(wanted);
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
      subscription.attach(await this.options.driver.subscribe(wanted.topic, options, subscription.receive));
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

  /** Counts dead letters that gave way to newer ones, where a subscription of this bus reads in their group. */
  countOutlived({ topic, group, dropped }: DeadLettersFull): void {
    const label = this.expected.labelOf(topic, group);
    if (label === undefined) return;
    const metrics = this.options.metrics.topic(label);
    for (let count = 0; count < dropped; count++) metrics.dropped('dead-letters-full');
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

  /** Built once per subscription: the replies to requests outermost, then recover, then the time limit, the bus's middleware, the subscription's. */
  private chain(wanted: Wanted, handler: MessageHandler | BatchHandler, gate: StartGate): Handler {
    const { label, policy } = wanted;
    const { middleware = [], schema, batch } = wanted.options;
    const { clock, logger, metrics } = this.options;
    const answering = this.responder.middleware((reason) => {
      metrics.topic(label).dropped(reason);
      this.onDropped(label, reason);
    });
    const { attempts, backoff, concurrency } = policy;
    const chain: Middleware[] = [answering, recover];
    if (policy.ordered) chain.push(orderedByKey(concurrency));
    if (policy.delivery === 'at-least-once') chain.push(beginning);
    if (policy.ordered) chain.push(retry({ attempts, backoff }, clock), heldBack(gate));
    chain.push(timeout(policy.timeoutMs, clock, timeoutLog(logger, wanted)), inAttempt);
    chain.push(...this.options.middleware, ...middleware);
    if (schema) chain.push(validate(schema));
    return compose(
      chain,
      batch
        ? batched(handler as BatchHandler, resolveBatch(batch), clock, gate)
        : (context) => (handler as MessageHandler)(context.message.payload, context),
    );
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
    return new BusSubscription({
      topic,
      policy: dispatch,
      handler: this.chain(wanted, handler, gate),
      gate,
      open: (delivery) => wire.open(delivery),
      copy: (frame) => wire.copy(frame),
      decoder: policy.ordered ? new InOrderDecoder(wire.reader) : wire.reader,
      turnAway: (headers, id) => this.responder.turnAway(headers, id),
      speaksFor: (paused, topic) => this.speaksFor(paused, topic),
      refuse: (headers, id, error) => this.responder.refuse(headers, id, error),
      metrics: metrics.topic(label),
      clock,
      graceMs: shutdownTimeoutMs,
      onClosed: (subscription) => {
        this.subscriptions.delete(subscription);
        this.expected.delete(wanted);
      },
      report: {
        dropped: (reason) => this.onDropped(label, reason),
        failedToSettle: (error) =>
          logger.error(`"${label}": an outcome could not be recorded: ${errorLine(error)}`),
        isSet: (topic, setting, whole) => logger.warn(settingLine(topic, policy.group, setting, whole)),
        abandoned: (graceMs) =>
          logger.warn(`"${label}": handlers still run ${graceMs} ms after closing; not waiting any longer`),
        failed: (failed, error, outcome) => tellFailure(logger, wanted, failed, error, outcome),
      },
    });
  }
}

/** An attempt that is followed by another one is a warning, and the last one an error. */
function tellFailure(
  logger: BusLogger,
  { name, label, policy }: Wanted,
  { id, attempt, attempts }: FailedAttempt,
  error: unknown,
  outcome: Outcome,
): void {
  const durable = policy.delivery === 'at-least-once';
  const where = durable ? `${name} (group "${policy.group}")` : name;
  const kept = durable && policy.deadLetter ? 'kept as a dead letter' : 'dropped';
  const next =
    outcome.type === 'retry' ? `tried again in ${Math.round(outcome.delayMs)} ms` : `given up and ${kept}`;
  const text = `"${label}": ${where} failed on message ${id}, attempt ${attempt} of ${attempts}, ${next}: ${errorLine(error)}${stackOf(error)}`;
  if (outcome.type === 'retry') logger.warn(text);
  else logger.error(text);
}

/** What operators have set, and what that means here. */
function settingLine(topic: string, group: string, { paused, limit }: GroupSetting, whole: boolean): string {
  const who = `"${topic}": operators have set the group "${group}"`;
  const limited = limit === undefined ? '' : `, at most ${limit} messages at a time in each process`;
  if (whole) return `${who}: ${paused ? 'paused' : 'running'}${limited}`;
  const prefetched = paused ? ', save what was read already' : '';
  const unlimited = limit === undefined ? '' : '; its limit has no effect on a handler of a topic pattern';
  return `${who}: ${paused ? 'paused' : 'running'}${prefetched}${unlimited}`;
}

/** What takes too long is said when its time is up, and when it has ended or is not waited for any more. */
function timeoutLog(logger: BusLogger, { name, label, policy }: Wanted): TimeoutListener {
  const where = policy.delivery === 'at-least-once' ? `${name} (group "${policy.group}")` : name;
  const attemptOf = ({ id, attempt }: DiscoMessageContext) =>
    `"${label}": ${where}, message ${id}, attempt ${attempt},`;
  return {
    exceeded: (context, timeoutMs, graceMs) =>
      logger.warn(
        `${attemptOf(context)} runs for longer than its timeout of ${timeoutMs} ms. It keeps its place until it ends, for ${graceMs} ms at most`,
      ),
    endedLate: (context, lateMs) =>
      logger.warn(`${attemptOf(context)} succeeded ${lateMs} ms after its timeout, and counts as handled`),
    outlasted: (context, ranMs) =>
      logger.error(
        `${attemptOf(context)} still runs after ${ranMs} ms and has failed: a further attempt may run beside it`,
      ),
  };
}

/** Messages of an ordered fan-out subscription that may wait for their key's turn without holding up other keys. */
const ORDERED_WINDOW = 1_000;

/**
 * The policy as the dispatcher and the settlement need it. A batch holds as many places as it has messages. Where keys
 * keep their order, messages wait for their turn behind the dispatcher and are retried in place.
 */
function dispatchPolicy(policy: ResolvedTopic, { batch }: HandlerSubscribeOptions): DispatchPolicy {
  const { concurrency, prefetch, ordered, delivery } = policy;
  if (batch && ordered) throw new ConfigurationError('batch and orderBy exclude each other');
  if (batch) {
    const places = concurrency * resolveBatch(batch).size;
    return { ...policy, concurrency: places, handlers: places, prefetch: Math.max(prefetch, places) };
  }
  if (!ordered) return { ...policy, handlers: concurrency };
  const places = delivery === 'at-least-once' ? concurrency + prefetch : concurrency + ORDERED_WINDOW;
  return { ...policy, attempts: 1, concurrency: places, handlers: concurrency, prefetch: 0 };
}

/** What errors and logs call a handler. */
export function handlerName({ name }: { name: string }): string {
  return name === '' || name === 'handler' ? 'a handler' : `the handler "${name.slice(0, 100)}"`;
}
