import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { Delivery } from '../../driver/delivery.js';
import type { DriverSubscription } from '../../driver/driver.js';
import type { GroupSetting } from '../../driver/group-setting.js';
import { type TopicMatcher, topicMatcher } from '../../message/topic-pattern.js';
import type { MessageHandler } from '../options/bus-options.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import { Backlog } from './backlog.js';
import type { BatchHandler } from './batch.js';
import { DeliveryHandling, type HandlingDeps } from './delivery-handling.js';
import { Dispatcher } from './dispatcher.js';
import { LocalRetries } from './local-delivery.js';

/** A handler's place on a topic. */
export interface Subscription {
  /** The topic or topic pattern. */
  readonly topic: string;
  /** The consumer group, at least once. */
  readonly group: string;
  /** No handler starts at the moment: by `pause`, or as operators have paused the group. */
  readonly paused: boolean;
  /** Messages whose handlers run; of a batch all. */
  readonly running: number;
  /**
   * No handler starts until `resume`; those that run go on. What was received before waits, a retry that comes due as
   * well; at most once, what is published meanwhile is missed, and whoever sent a request is told so that somebody else
   * can be asked. Does nothing once `close` was called.
   */
  pause(): void;
  /** Goes on, with what has waited first. */
  resume(): void;
  /**
   * Stops reading and resolves when the running handlers are settled, at the latest after the bus's `shutdownTimeout`: then
   * the signals of those that still run abort. At most once, what comes before the server has confirmed the end is still
   * handled. Of a paused subscription, what waits goes back to its group or, at most once, is dropped and told. Do not await
   * it inside a handler. Idempotent.
   */
  close(): Promise<void>;
}

/** A subscription that is announced and not read yet. */
export interface DeclaredSubscription {
  /** The topic or topic pattern. */
  readonly topic: string;
  /** The consumer group, at least once. */
  readonly group: string;
  readonly delivery: DeliveryGuarantee;
  /** Messages, or batches, that it handles at a time. */
  readonly concurrency: number;
  /**
   * Resolves when the subscription is live; to be called once. Rejects as `DiscoBus.subscribe` does, but for the
   * first connection it waits as long as that takes.
   */
  open(handler: MessageHandler | BatchHandler): Promise<Subscription>;
  /** Takes it back, when it was not opened. */
  withdraw(): void;
}

/** What a {@link BusSubscription} works with. */
export interface SubscriptionDeps extends HandlingDeps {
  /** Whether a paused subscription is the one to say that nobody of this bus handles what came on `topic`. */
  readonly speaksFor: (paused: BusSubscription, topic: string) => boolean;
  /** How long running handlers may take when it closes. */
  readonly graceMs: number;
  readonly onClosed: (subscription: BusSubscription) => void;
}

/** A handler's place on a topic: takes deliveries from the driver, and begins to handle so many at a time. */
export class BusSubscription implements Subscription {
  private readonly dispatcher: Dispatcher;
  private readonly handling: DeliveryHandling;
  /** At most once: what waits for its next attempt. */
  private readonly retries?: LocalRetries;
  private driverSubscription?: DriverSubscription;
  private closing?: Promise<void>;
  /** Nothing is taken any more. */
  private deaf = false;
  /** No time is left: nothing is started any more. */
  private abandoned = false;
  /** Ends a `close` that waits. */
  private giveUp: (() => void) | undefined;

  constructor(private readonly deps: SubscriptionDeps) {
    const { policy, metrics, log, clock, wire } = deps;
    this.matches = topicMatcher(deps.topic);
    this.handling = new DeliveryHandling(deps);
    const onOverflow = () => {
      metrics.dropped('overflow');
      log.dropped('overflow');
    };
    // What is stored is bounded by the driver, which hands over no more than was asked for.
    const backlog = policy.delivery === 'at-most-once' ? new Backlog(policy.backlog) : undefined;
    if (backlog) {
      const again = (delivery: Delivery) => this.dispatcher.push(delivery);
      const onLost = () => log.dropped('failed');
      const copy = (frame: Uint8Array) => wire.copy(frame);
      this.retries = new LocalRetries({ clock, backlog, copy, again, onOverflow, onLost });
    }
    this.dispatcher = new Dispatcher({
      concurrency: policy.concurrency,
      handlers: policy.handlers,
      backlog,
      gate: deps.gate,
      clock,
      handle: (delivery, cameMs) => this.handling.handle(delivery, cameMs),
      giveUpOlder: () => this.retries?.giveUpOldest() === true,
      detached: (delivery) => this.retries?.detached(delivery) ?? delivery,
      onOverflow: (delivery) => {
        onOverflow();
        this.handling.tellOverflow(delivery);
      },
    });
  }

  get topic(): string {
    return this.deps.topic;
  }

  get group(): string {
    return this.deps.policy.group;
  }

  get policy(): ResolvedTopic {
    return this.deps.policy;
  }

  /** What the driver calls. */
  readonly receive = (delivery: Delivery): void => {
    if (this.deaf) return;
    if (this.abandoned) {
      this.handling.turnAway(delivery);
      return;
    }
    this.dispatcher.push(this.retries && this.policy.attempts > 1 ? this.retries.wrap(delivery) : delivery);
  };

  /** What the driver calls with what comes while it is paused: a requester is told, and can ask somebody else. */
  readonly missed = (delivery: Delivery): void => {
    if (this.deaf || !this.deps.speaksFor(this, delivery.topic)) return;
    this.handling.tellMissed(delivery);
  };

  /** Whether it would get what is published to `topic`. */
  readonly matches: TopicMatcher;

  /** Messages whose handlers run. */
  get running(): number {
    return this.handling.running;
  }

  get paused(): boolean {
    return this.deps.gate.paused;
  }

  /** It reads, and does not close. */
  get live(): boolean {
    return this.driverSubscription !== undefined && this.closing === undefined;
  }

  attach(subscription: DriverSubscription): void {
    this.driverSubscription = subscription;
    this.deps.metrics.subscriptions(1);
    this.deps.log.changed('subscribed');
    if (this.closing) void subscription.close().catch(() => {});
    else if (this.deps.gate.isShut) subscription.pause();
  }

  pause(): void {
    if (this.closing) return;
    this.deps.gate.pause();
    this.driverSubscription?.pause();
  }

  resume(): void {
    if (this.closing) return;
    this.deps.gate.resume();
    this.dispatcher.resume();
    this.driverSubscription?.resume();
  }

  /**
   * What the driver calls when operators have set the group on `topic`. The driver stops reading that topic itself; here nothing
   * of it starts, where it is the only one.
   */
  readonly isSet = (topic: string, setting: GroupSetting): void => {
    const whole = topic === this.topic;
    this.deps.log.isSet(topic, setting, whole);
    if (!whole) return;
    this.deps.gate.hold(setting.paused);
    this.dispatcher.limitTo(setting.limit ?? Number.POSITIVE_INFINITY);
  };

  /** `graceMs`: @default the bus's `shutdownTimeout` */
  close(graceMs = this.deps.graceMs): Promise<void> {
    this.closing ??= this.drainInTime(graceMs).finally(() => this.deps.onClosed(this));
    return this.closing;
  }

  /** Takes their time from what still runs: aborts their signals, starts nothing any more, and ends a `close` that waits for them. */
  abandon(): void {
    this.abandoned = true;
    this.leaveWaiting();
    this.handling.abort();
    this.giveUp?.();
  }

  private drainInTime(graceMs: number): Promise<void> {
    const { clock, log } = this.deps;
    return new Promise((resolve, reject) => {
      const late = () => {
        log.abandoned(graceMs);
        this.abandon();
      };
      const timer = graceMs < Number.POSITIVE_INFINITY ? clock.setTimeout(late, graceMs) : undefined;
      this.giveUp = resolve;
      this.drain()
        .then(resolve, reject)
        .finally(() => clock.clearTimeout(timer));
    });
  }

  private async drain(): Promise<void> {
    this.deps.metrics.subscriptions(-1);
    // At most once, what comes until the server has confirmed the end comes to nobody else. What is stored goes to others.
    this.deaf = this.policy.delivery === 'at-least-once';
    await this.driverSubscription?.close();
    this.deaf = true;
    this.retries?.close();
    if (this.policy.delivery === 'at-least-once' || this.deps.gate.paused) this.leaveWaiting();
    this.deps.gate.abandon();
    await this.dispatcher.idle();
    await this.handling.idle();
    if (this.driverSubscription) this.deps.log.changed('unsubscribed');
  }

  /** What waits is not started: at least once it goes back to its group. */
  private leaveWaiting(): void {
    const waiting = this.dispatcher.clear();
    if (this.policy.delivery === 'at-most-once')
      for (const delivery of waiting) this.handling.turnAway(delivery);
  }
}
