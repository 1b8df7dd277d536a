import { types } from 'node:util';
import type { Delivery } from '../../driver/delivery.js';
import type { DriverSubscription } from '../../driver/driver.js';
import type { GroupSetting } from '../../driver/group-setting.js';
import { ClosedError } from '../../errors/bus.errors.js';
import { BackpressureError } from '../../errors/publish.errors.js';
import type { DecodedFrame } from '../../message/frame.js';
import type { Headers } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { type TopicMatcher, topicMatcher } from '../../message/topic-pattern.js';
import type { TopicMetrics } from '../../metrics/metrics.js';
import { type Handler, isThenable } from '../../middleware/middleware.js';
import type { Clock } from '../../timing/clock.js';
import { DeliveryContext } from '../delivery-context.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import type { MessageReader } from '../wire/message-decoder.js';
import { Backlog } from './backlog.js';
import { Dispatcher } from './dispatcher.js';
import { LocalRetries } from './local-delivery.js';
import { Settlement, type SettlementReport } from './settlement.js';
import { notStarted, type StartGate } from './start-gate.js';

/** A handler's place on a topic. */
export interface Subscription {
  /** The topic or topic pattern. */
  readonly topic: string;
  /** The consumer group, at least once. */
  readonly group: string;
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

/** A topic's policy as a subscription goes by it: `concurrency` counts the deliveries that it starts at a time. */
export interface DispatchPolicy extends ResolvedTopic {
  /** How many of them are handlers that run; the others wait for their key. */
  readonly handlers: number;
}

/** What a {@link BusSubscription} is made of. */
export interface SubscriptionParts {
  readonly topic: string;
  readonly policy: DispatchPolicy;
  /** The whole chain of middleware around the user's handler. */
  readonly handler: Handler;
  readonly gate: StartGate;
  /** The frame of a delivery. Throws CodecError. */
  readonly open: (delivery: Delivery) => DecodedFrame;
  /** A copy of a frame that keeps no other memory alive. */
  readonly copy: (frame: Uint8Array) => Uint8Array;
  readonly decoder: MessageReader;
  /** Tells the sender of a request that nobody here will handle it; false for what is no request. */
  readonly turnAway: (headers: Headers, id: string) => boolean;
  /** Whether a paused subscription is the one to say that nobody of this bus handles what came on `topic`. */
  readonly speaksFor: (paused: BusSubscription, topic: string) => boolean;
  /** Tells the sender of a request why no handler is given it; does nothing for what is no request. */
  readonly refuse: (headers: Headers, id: string, error: unknown) => void;
  readonly metrics: TopicMetrics;
  readonly report: SettlementReport & {
    /** An outcome could not be recorded. */
    failedToSettle(error: unknown): void;
    /** Operators have set the group on a topic, `whole`: all that this subscription reads. */
    isSet(topic: string, setting: GroupSetting, whole: boolean): void;
    /** Handlers still ran when the time to close was over. */
    abandoned(graceMs: number): void;
  };
  readonly clock: Clock;
  /** How long running handlers may take when it closes. */
  readonly graceMs: number;
  readonly onClosed: (subscription: BusSubscription) => void;
}

/** From a driver's delivery to the handler and back to its settlement. */
export class BusSubscription implements Subscription {
  private readonly dispatcher: Dispatcher;
  private readonly settlement: Settlement;
  /** At most once: what waits for its next attempt. */
  private readonly retries?: LocalRetries;
  private readonly signalled = new Set<DeliveryContext>();
  /** Outcomes that are being recorded. */
  private settling = 0;
  private settledWaiter: (() => void) | undefined;
  private driverSubscription?: DriverSubscription;
  private closing?: Promise<void>;
  /** Nothing is taken any more. */
  private deaf = false;
  /** No time is left: nothing is started any more. */
  private abandoned = false;
  /** Ends a `close` that waits. */
  private giveUp: (() => void) | undefined;

  constructor(private readonly parts: SubscriptionParts) {
    const { policy, metrics, report, clock, copy } = parts;
    this.matches = topicMatcher(parts.topic);
    this.settlement = new Settlement(policy, metrics, report);
    const onOverflow = () => {
      metrics.dropped('overflow');
      report.dropped('overflow');
    };
    // What is stored is bounded by the driver, which hands over no more than was asked for.
    const backlog = policy.delivery === 'at-most-once' ? new Backlog(policy.backlog) : undefined;
    if (backlog) {
      const again = (delivery: Delivery) => this.dispatcher.push(delivery);
      const onLost = () => report.dropped('failed');
      this.retries = new LocalRetries({ clock, backlog, copy, again, onOverflow, onLost });
    }
    this.dispatcher = new Dispatcher({
      concurrency: policy.concurrency,
      handlers: policy.handlers,
      backlog,
      gate: parts.gate,
      clock,
      handle: (delivery, cameMs) => this.handle(delivery, cameMs),
      giveUpOlder: () => this.retries?.giveUpOldest() === true,
      detached: (delivery) => this.retries?.detached(delivery) ?? delivery,
      onOverflow: (delivery) => {
        onOverflow();
        this.tellOverflow(delivery);
      },
    });
  }

  get topic(): string {
    return this.parts.topic;
  }

  get group(): string {
    return this.parts.policy.group;
  }

  get policy(): ResolvedTopic {
    return this.parts.policy;
  }

  /** What the driver calls. */
  readonly receive = (delivery: Delivery): void => {
    if (this.deaf) return;
    if (this.abandoned) {
      this.turnAway(delivery);
      return;
    }
    this.dispatcher.push(this.retries && this.policy.attempts > 1 ? this.retries.wrap(delivery) : delivery);
  };

  /** What the driver calls with what comes while it is paused: a requester is told, and can ask somebody else. */
  readonly missed = (delivery: Delivery): void => {
    if (this.deaf || !this.parts.speaksFor(this, delivery.topic)) return;
    try {
      const { headers, id } = this.parts.open(delivery);
      this.parts.turnAway(headers, id);
    } catch {
      // What has no envelope is no request.
    }
  };

  /** Whether it would get what is published to `topic`. */
  readonly matches: TopicMatcher;

  get paused(): boolean {
    return this.parts.gate.paused;
  }

  attach(subscription: DriverSubscription): void {
    this.driverSubscription = subscription;
    this.parts.metrics.subscriptions(1);
    if (this.closing) void subscription.close().catch(() => {});
    else if (this.parts.gate.isShut) subscription.pause();
  }

  pause(): void {
    if (this.closing) return;
    this.parts.gate.pause();
    this.driverSubscription?.pause();
  }

  resume(): void {
    if (this.closing) return;
    this.parts.gate.resume();
    this.dispatcher.resume();
    this.driverSubscription?.resume();
  }

  /**
   * What the driver calls when operators have set the group on `topic`. The driver stops reading that topic itself; here nothing
   * of it starts, where it is the only one.
   */
  readonly isSet = (topic: string, setting: GroupSetting): void => {
    const whole = topic === this.topic;
    this.parts.report.isSet(topic, setting, whole);
    if (!whole) return;
    this.parts.gate.hold(setting.paused);
    this.dispatcher.limitTo(setting.limit ?? Number.POSITIVE_INFINITY);
  };

  /** `graceMs`: @default the bus's `shutdownTimeout` */
  close(graceMs = this.parts.graceMs): Promise<void> {
    this.closing ??= this.drainInTime(graceMs).finally(() => this.parts.onClosed(this));
    return this.closing;
  }

  /** Takes their time from what still runs: aborts their signals, starts nothing any more, and ends a `close` that waits for them. */
  abandon(): void {
    this.abandoned = true;
    this.leaveWaiting();
    for (const context of this.signalled) context.abort(new ClosedError('The bus was closed'));
    this.giveUp?.();
  }

  private drainInTime(graceMs: number): Promise<void> {
    const { clock, report } = this.parts;
    return new Promise((resolve, reject) => {
      const late = () => {
        report.abandoned(graceMs);
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
    this.parts.metrics.subscriptions(-1);
    // At most once, what comes until the server has confirmed the end comes to nobody else. What is stored goes to others.
    this.deaf = this.policy.delivery === 'at-least-once';
    await this.driverSubscription?.close();
    this.deaf = true;
    this.retries?.close();
    if (this.policy.delivery === 'at-least-once' || this.parts.gate.paused) this.leaveWaiting();
    this.parts.gate.abandon();
    await this.dispatcher.idle();
    if (this.settling > 0) await new Promise<void>((resolve) => (this.settledWaiter = resolve));
  }

  /** What waits is not started: at least once it goes back to its group. */
  private leaveWaiting(): void {
    const waiting = this.dispatcher.clear();
    if (this.policy.delivery === 'at-most-once') for (const delivery of waiting) this.turnAway(delivery);
  }

  /** A requester is told, and can ask somebody else. */
  private turnAway(delivery: Delivery): void {
    try {
      const { headers, id } = this.parts.open(delivery);
      if (!this.parts.turnAway(headers, id)) this.dropUnstarted();
    } catch {
      this.dropUnstarted();
    }
  }

  /** Nobody keeps it, and its subscription closed before it was started. */
  private dropUnstarted(): void {
    this.parts.metrics.dropped('closed');
    this.parts.report.dropped('closed');
  }

  /** There was no room for it to wait: who asked is not left to wait either. */
  private tellOverflow(delivery: Delivery): void {
    try {
      const { headers, id } = this.parts.open(delivery);
      this.parts.refuse(headers, id, new BackpressureError(`The backlog of "${this.topic}" is full`));
    } catch {
      // What has no envelope is no request.
    }
  }

  /** Whatever happens, the delivery is settled and its place is free again. */
  private handle(delivery: Delivery, cameMs: number | undefined): void | Promise<void> {
    try {
      const handling = this.read(delivery, cameMs);
      return handling?.catch((error) => this.refuse(delivery, error, undefined));
    } catch (error) {
      this.refuse(delivery, error, undefined);
    }
  }

  private read(delivery: Delivery, cameMs: number | undefined): void | Promise<void> {
    const { refusal } = delivery;
    let frame: DecodedFrame | undefined;
    let message: Message | Promise<Message>;
    try {
      frame = this.parts.open(delivery);
      if (refusal) return this.refuse(delivery, refusal, frame);
      this.parts.metrics.size('in', frame.bodyBytes);
      message = this.parts.decoder.read(delivery.topic, frame);
    } catch (error) {
      return this.refuse(delivery, refusal ?? error, frame);
    }
    if (!types.isPromise(message)) return this.run(delivery, message, cameMs);
    const sinceMs = cameMs ?? this.parts.clock.monotonic();
    return message.then(
      (decoded) =>
        this.parts.gate.paused
          ? this.runLater(delivery, decoded, sinceMs)
          : this.run(delivery, decoded, sinceMs),
      (error) => this.refuse(delivery, error, frame),
    );
  }

  /** It was paused while the message was being read. */
  private runLater(delivery: Delivery, message: Message, cameMs: number): Promise<void> {
    return this.parts.gate.passed().then(
      () => this.run(delivery, message, cameMs),
      () => {
        if (this.policy.delivery === 'at-most-once') this.turnAway(delivery);
      },
    );
  }

  /** At least once it stays unsettled, and so goes back to its group. */
  private unstarted(): void {
    if (this.policy.delivery === 'at-most-once') this.dropUnstarted();
  }

  /** `frame`: its envelope, where that could be read. */
  private refuse(delivery: Delivery, error: unknown, frame: DecodedFrame | undefined): void {
    try {
      if (frame) this.parts.refuse(frame.headers, frame.id, error);
    } catch (failure) {
      this.parts.report.failedToSettle(failure);
    }
    this.settle(() => this.settlement.undecodable(delivery, error));
  }

  private run(delivery: Delivery, message: Message, cameMs: number | undefined): void | Promise<void> {
    const { metrics, handler } = this.parts;
    const { attempt } = delivery;
    const context = new DeliveryContext(message, attempt, this.group, this.onSignal, delivery, cameMs);
    const startedMs = performance.now();
    metrics.inFlight(1);
    let result: unknown;
    try {
      result = handler(context);
    } catch (error) {
      return this.ended(delivery, context, startedMs, error, true);
    }
    if (!isThenable(result)) return this.ended(delivery, context, startedMs);
    return (result as Promise<unknown>).then(
      () => this.ended(delivery, context, startedMs),
      (error: unknown) => this.ended(delivery, context, startedMs, error, true),
    );
  }

  private ended(
    delivery: Delivery,
    context: DeliveryContext,
    startedMs: number,
    error?: unknown,
    failed = false,
  ): void {
    const seconds = (performance.now() - startedMs) / 1000;
    this.parts.metrics.inFlight(-1);
    if (this.signalled.size > 0) this.signalled.delete(context);
    if (error === notStarted) {
      this.unstarted();
      return;
    }
    this.settle(() =>
      failed
        ? this.settlement.failed(delivery, context.id, error, seconds)
        : this.settlement.succeeded(delivery, context, seconds),
    );
  }

  /** Recording an outcome holds no place among the running handlers, but is waited for when closing. */
  private settle(outcome: () => Promise<void> | undefined): void {
    let settling: Promise<void> | undefined;
    try {
      settling = outcome();
    } catch (error) {
      settling = Promise.reject(error);
    }
    if (!settling) return;
    this.settling++;
    settling.then(this.recorded, this.unrecorded);
  }

  private readonly recorded = (): void => {
    this.settling--;
    if (this.settling === 0) this.settledWaiter?.();
  };

  private readonly unrecorded = (error: unknown): void => {
    this.parts.report.failedToSettle(error);
    this.recorded();
  };

  private readonly onSignal = (context: DeliveryContext): void => {
    this.signalled.add(context);
  };
}
