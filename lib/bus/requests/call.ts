import { AsyncResource } from 'node:async_hooks';
import { types } from 'node:util';
import type { PublishListener } from '../../bundling/bundle-lane.js';
import type { DriverReceipt } from '../../driver/driver.js';
import { AbortedError } from '../../errors/bus.errors.js';
import { callGuest } from '../../errors/guest.js';
import {
  NoRespondersError,
  ReplyLostError,
  type ReplyLostReason,
  RequestTimeoutError,
} from '../../errors/request.errors.js';
import type { Headers } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import type { RequestStatus, TopicMetrics } from '../../metrics/metrics.js';
import { Deadlined, type DeadlineQueue } from '../../timing/deadline-queue.js';
import { remoteError, statusOfFailure } from './call-endings.js';
import type { Arrival } from './direct-channel.js';
import { ReplyOrder, type ReplyTaker, type UnreadReply } from './reply-order.js';
import type { ReplyEnvelope, ReplyKind } from './request-headers.js';

/** Who is told of the replies to one call, in the async context of its caller. After `complete` or `error`, which comes once, it is told nothing more. */
export interface ReplyObserver {
  next(payload: unknown, headers: Headers): void;
  complete(): void;
  /** A RemoteError, ReplyLostError, NoRespondersError, RequestTimeoutError, or what kept the request from being sent. */
  error(error: unknown): void;
}

/** What a process warning calls a {@link ReplyObserver} that throws. */
export const OBSERVER = 'An observer of replies';

/** Responders of one call that are told apart; more than that is not an answer but a flood. */
const RESPONDER_LIMIT = 1024;

/** One request that waits for its replies. It settles once. */
export class Call extends Deadlined implements PublishListener, ReplyTaker {
  /** It was handed to the driver: from then on it may be handled. */
  sent = false;
  /** The driver has accepted it. */
  taken = false;
  settled = false;
  /** Only one can receive it, whether or not the driver counts. */
  sole = false;
  /** Not counted among the requests that wait. */
  aside = false;
  /** The one group that answers. */
  group: string | undefined;
  /** What errors call the topic. */
  name: string;
  /** Where it is measured, and since when; undefined for what no caller has asked. */
  metrics: Required<TopicMetrics> | undefined;
  askedMs = 0;
  private answered = false;
  /** The caller's async context. */
  private readonly scope = new AsyncResource('DiscoRequest');
  private orders: Map<string, ReplyOrder> | undefined;
  private heldBytes = 0;
  /** How many the driver has sent it to, once that is known. */
  private receivers: number | undefined;
  private turnedAway = 0;

  constructor(
    readonly id: string,
    readonly topic: string,
    private readonly deadlines: DeadlineQueue,
    private readonly observer: ReplyObserver,
    private readonly signal: AbortSignal | undefined,
    private readonly on: {
      settled(call: Call, status: RequestStatus): void;
      /** Work for it may be under way, and nobody waits for it. */
      abandoned(call: Call): void;
      /** The driver has taken it, and says whom it reached. */
      accepted(call: Call, receipt: DriverReceipt): void;
      /** The driver has not taken it, or does not know. */
      unsent(call: Call, error: unknown): void;
      /** The message of a reply. Throws or rejects when it cannot be read. */
      read(arrival: Arrival): Message | Promise<Message>;
      /** Whether a call may hold so many bytes of replies. */
      holds(bytes: number): boolean;
      /** A reply was read that nobody waits for any more. */
      unwanted(): void;
    },
    /** Where it waits for its first reply. */
    first: DeadlineQueue = deadlines,
  ) {
    super();
    this.name = topic;
    first.track(this);
    signal?.addEventListener('abort', this, { once: true });
  }

  get timeoutMs(): number {
    return this.deadlines.timeoutMs;
  }

  /** Takes a reply; false if it is none that this call still waits for. */
  receive({ kind, sequence, responder }: ReplyEnvelope, arrival: Arrival): boolean {
    if (this.settled) return false;
    const reply = { kind, arrival };
    // A responder's only reply comes before and after nothing.
    if (responder !== '') return this.orderOf(responder)?.add(sequence, reply) ?? false;
    void this.take(reply);
    return true;
  }

  take({ kind, arrival }: UnreadReply): Promise<void> | undefined {
    if (this.settled) return undefined;
    let message: Message | Promise<Message>;
    try {
      message = this.on.read(arrival);
    } catch (error) {
      this.lose(kind, 'unreadable', error);
      return undefined;
    }
    if (!types.isPromise(message)) {
      this.deliver(kind, message);
      return undefined;
    }
    return message.then(
      (read) => (this.settled ? this.on.unwanted() : this.deliver(kind, read)),
      (error: unknown) => (this.settled ? this.on.unwanted() : this.lose(kind, 'unreadable', error)),
    );
  }

  hold(bytes: number): boolean {
    if (this.settled) return false;
    if (this.on.holds(this.heldBytes + bytes)) {
      this.heldBytes += bytes;
      return true;
    }
    this.lose('value', 'overflow');
    return false;
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
  }

  accepted(receipt: DriverReceipt): void {
    this.receivers = receipt.receivers ?? (this.sole ? 1 : undefined);
    this.on.accepted(this, receipt);
    this.failIfUnheard();
  }

  failed(error: unknown): void {
    this.on.unsent(this, error);
  }

  fail(error: unknown): void {
    if (this.settle(statusOfFailure(error))) this.tell(() => this.observer.error(error));
  }

  /** Nobody waits any more; the observer is told nothing. */
  cancel(): void {
    if (this.settle(this.answered ? 'success' : 'cancelled') && this.sent) this.on.abandoned(this);
  }

  expired(): void {
    const streaming = this.orders !== undefined;
    this.fail(new RequestTimeoutError(this.name, this.timeoutMs));
    if (streaming) this.on.abandoned(this);
  }

  /** A reply came and is lost: so is the whole answer, and the work on what would follow is called off. */
  private lose(kind: ReplyKind, reason: ReplyLostReason, cause?: unknown): void {
    this.fail(new ReplyLostError(this.name, reason, cause));
    if (kind === 'value') this.on.abandoned(this);
  }

  private orderOf(responder: string): ReplyOrder | undefined {
    this.orders ??= new Map();
    let order = this.orders.get(responder);
    if (order || this.orders.size >= RESPONDER_LIMIT) return order;
    order = new ReplyOrder(this);
    this.orders.set(responder, order);
    return order;
  }

  private deliver(kind: ReplyKind, message: Message): void {
    if (kind === 'error') this.fail(remoteError(this.name, message.payload));
    else if (kind === 'gone') {
      this.turnedAway++;
      this.failIfUnheard();
    } else if (kind === 'end') this.complete();
    else if (kind === 'last') this.last(message);
    else this.value(message);
  }

  /** All that it reached were closing or paused, and have not handled it. */
  private failIfUnheard(): void {
    if (this.turnedAway === 0 || this.receivers === undefined || this.turnedAway < this.receivers) return;
    this.fail(new NoRespondersError(this.name));
  }

  /** A further one may take as long as the first. */
  private value({ payload, headers }: Message): void {
    this.takeOff();
    this.deadlines.track(this);
    this.tellNext(payload, headers);
  }

  private last({ payload, headers }: Message): void {
    if (!this.settle('success')) return;
    this.tellNext(payload, headers);
    this.tellComplete();
  }

  private complete(): void {
    if (this.settle('success')) this.tellComplete();
  }

  private tellNext(payload: unknown, headers: Headers): void {
    this.answered = true;
    this.tell(() => this.observer.next(payload, headers));
  }

  private tellComplete(): void {
    this.tell(() => this.observer.complete());
  }

  /** An observer that throws must keep no reply from others. */
  private tell(call: () => unknown): void {
    this.scope.runInAsyncScope(callGuest, undefined, this.observer, OBSERVER, call);
  }

  private settle(status: RequestStatus): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.takeOff();
    this.signal?.removeEventListener('abort', this);
    this.on.settled(this, status);
    return true;
  }

  /** The signal's listener. */
  handleEvent(): void {
    const { sent } = this;
    this.fail(new AbortedError(this.signal?.reason));
    if (sent) this.on.abandoned(this);
  }
}
