import { types } from 'node:util';
import type { Delivery } from '../../driver/delivery.js';
import { ClosedError } from '../../errors/bus.errors.js';
import { BackpressureError } from '../../errors/publish.errors.js';
import type { DecodedFrame } from '../../message/frame.js';
import type { Message } from '../../message/message.js';
import type { TopicMetrics } from '../../metrics/metrics.js';
import { type Handler, isThenable } from '../../middleware/middleware.js';
import type { Clock } from '../../timing/clock.js';
import { DeliveryContext } from '../delivery-context.js';
import type { Responder } from '../requests/responder.js';
import type { MessageReader } from '../wire/message-decoder.js';
import type { Wire } from '../wire/wire.js';
import type { DispatchPolicy } from './dispatch-policy.js';
import { Settlement } from './settlement.js';
import { notStarted, type StartGate } from './start-gate.js';
import type { SubscriptionLog } from './subscription-log.js';
import type { SubscriptionTracing } from './subscription-tracing.js';

/** What a {@link DeliveryHandling} works with. */
export interface HandlingDeps {
  readonly topic: string;
  readonly policy: DispatchPolicy;
  /** The whole chain of middleware around the user's handler. */
  readonly handler: Handler;
  readonly gate: StartGate;
  readonly wire: Wire;
  /** Reads the messages in their frames. */
  readonly reader: MessageReader;
  /** Tells the senders of requests that no handler is given. */
  readonly responder: Responder;
  readonly metrics: TopicMetrics;
  /** Undefined where nobody traces. */
  readonly tracing: SubscriptionTracing | undefined;
  readonly log: SubscriptionLog;
  readonly clock: Clock;
}

/** What becomes of each delivery of a subscription: it is read, handled and settled, or its sender is told that it is not. */
export class DeliveryHandling {
  private readonly settlement: Settlement;
  private readonly signalled = new Set<DeliveryContext>();
  /** Messages whose handlers run. */
  running = 0;

  constructor(private readonly deps: HandlingDeps) {
    this.settlement = new Settlement(deps.policy, deps.metrics, deps.log, deps.tracing);
  }

  /** Whatever happens, the delivery is settled and its place is free again. */
  handle(delivery: Delivery, cameMs: number | undefined): void | Promise<void> {
    try {
      const handling = this.read(delivery, cameMs);
      return handling?.catch((error) => this.refuse(delivery, error, undefined));
    } catch (error) {
      this.refuse(delivery, error, undefined);
    }
  }

  /** Aborts the signals of what still runs. */
  abort(): void {
    for (const context of this.signalled) context.abort(new ClosedError('The bus was closed'));
  }

  /** Resolves when all outcomes are recorded; undefined where they are. */
  idle(): Promise<void> | undefined {
    return this.settlement.idle();
  }

  /** A requester is told, and can ask somebody else. */
  turnAway(delivery: Delivery): void {
    if (!this.tellSender(delivery, ({ headers, id }) => this.deps.responder.turnAway(headers, id))) {
      this.dropUnstarted();
    }
  }

  /** Nobody keeps it, and its subscription closed before it was started. */
  private dropUnstarted(): void {
    this.deps.metrics.dropped('closed');
    this.deps.log.dropped('closed');
  }

  /** The same for what came while it was paused, and is missed. */
  tellMissed(delivery: Delivery): void {
    this.tellSender(delivery, ({ headers, id }) => this.deps.responder.turnAway(headers, id));
  }

  /** There was no room for it to wait: who asked is not left to wait either. */
  tellOverflow(delivery: Delivery): void {
    const full = new BackpressureError(`The backlog of "${this.deps.topic}" is full`);
    this.tellSender(delivery, ({ headers, id }) => this.deps.responder.refuse(headers, id, full));
  }

  /** Whether `tell` has told the sender; what has no envelope is no request. */
  private tellSender(delivery: Delivery, tell: (frame: DecodedFrame) => unknown): boolean {
    try {
      return tell(this.deps.wire.open(delivery)) === true;
    } catch {
      return false;
    }
  }

  private read(delivery: Delivery, cameMs: number | undefined): void | Promise<void> {
    const { refusal } = delivery;
    let frame: DecodedFrame | undefined;
    let message: Message | Promise<Message>;
    try {
      frame = this.deps.wire.open(delivery);
      if (refusal) return this.refuse(delivery, refusal, frame);
      this.deps.metrics.size('in', frame.bodyBytes);
      message = this.deps.reader.read(delivery.topic, frame);
    } catch (error) {
      return this.refuse(delivery, refusal ?? error, frame);
    }
    if (!types.isPromise(message)) return this.run(delivery, message, cameMs);
    const sinceMs = cameMs ?? this.deps.clock.monotonic();
    return message.then(
      (decoded) =>
        this.deps.gate.paused
          ? this.runLater(delivery, decoded, sinceMs)
          : this.run(delivery, decoded, sinceMs),
      (error) => this.refuse(delivery, error, frame),
    );
  }

  /** It was paused while the message was being read. */
  private runLater(delivery: Delivery, message: Message, cameMs: number): Promise<void> {
    return this.deps.gate.passed().then(
      () => this.run(delivery, message, cameMs),
      () => {
        if (this.deps.policy.delivery === 'at-most-once') this.turnAway(delivery);
      },
    );
  }

  /** At least once it stays unsettled, and so goes back to its group. */
  private unstarted(): void {
    if (this.deps.policy.delivery === 'at-most-once') this.dropUnstarted();
  }

  /** `frame`: its envelope, where that could be read. */
  private refuse(delivery: Delivery, error: unknown, frame: DecodedFrame | undefined): void {
    try {
      if (frame) this.deps.responder.refuse(frame.headers, frame.id, error);
    } catch (failure) {
      this.deps.log.failedToSettle(failure);
    }
    try {
      this.settlement.undecodable(delivery, error);
    } catch (failure) {
      this.deps.log.failedToSettle(failure);
    }
  }

  private run(delivery: Delivery, message: Message, cameMs: number | undefined): void | Promise<void> {
    const { metrics, handler } = this.deps;
    const { attempt } = delivery;
    const context = new DeliveryContext(
      message,
      attempt,
      this.deps.policy.group,
      this.onSignal,
      delivery,
      cameMs,
    );
    this.deps.tracing?.took(message, delivery);
    const startedMs = performance.now();
    metrics.inFlight(1);
    this.running++;
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
    this.deps.metrics.inFlight(-1);
    this.running--;
    if (this.signalled.size > 0) this.signalled.delete(context);
    if (error === notStarted) {
      this.unstarted();
      return;
    }
    try {
      if (failed) this.settlement.failed(delivery, context, error, seconds);
      else this.settlement.succeeded(delivery, context, seconds);
    } catch (failure) {
      this.deps.log.failedToSettle(failure);
    }
  }

  private readonly onSignal = (context: DeliveryContext): void => {
    this.signalled.add(context);
  };
}
