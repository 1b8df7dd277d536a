import { types } from 'node:util';
import type { EncodedBody } from '../../codec/codec.js';
import type { DiscoDriver, DriverReceipt } from '../../driver/driver.js';
import type { DriverStatus } from '../../driver/driver-status.js';
import { AbortedError, ClosedError } from '../../errors/bus.errors.js';
import { callGuest } from '../../errors/guest.js';
import { BackpressureError } from '../../errors/publish.errors.js';
import { NoRespondersError, RequestTimeoutError } from '../../errors/request.errors.js';
import type { Headers } from '../../message/headers.js';
import type { RequestStatus, TopicMetrics } from '../../metrics/metrics.js';
import type { Clock } from '../../timing/clock.js';
import { Deadlines } from '../../timing/deadlines.js';
import type { PublishOptions, PublishReceipt } from '../options/bus-options.js';
import { Call, OBSERVER, type ReplyObserver } from './call.js';
import { unsentError } from './call-endings.js';
import type { DirectCall, RequestHandle, ResolvedCall } from './call-options.js';
import { CallTable } from './call-table.js';
import { callOff } from './calling-off.js';
import type { Arrival, DirectChannel } from './direct-channel.js';
import { GroupPresence } from './group-presence.js';
import { OwnHeaders } from './own-headers.js';
import { ReplyInbox } from './reply-inbox.js';
import { ReplyReading } from './reply-reading.js';
import { REQUEST_ID_HEADER, readReply } from './request-headers.js';

/** Lengths of time whose requests share a timer. */
const SHARED_TIMEOUTS = 1000;

/** What a {@link Requester} is made of. */
export interface RequesterParts {
  readonly driver: DiscoDriver;
  readonly channel: DirectChannel;
  readonly clock: Clock;
  readonly maxPending: number;
  /** What one call may hold of replies that wait for those before them. */
  readonly replyBufferBytes: number;
  /** How long a publish that does not say so itself may take. */
  readonly publishTimeoutMs: number;
  /** Resolves when requests can be sent, rejects when they never will be; undefined when they can now. */
  readonly usable: () => Promise<void> | undefined;
  readonly publish: (topic: string, payload: unknown, options: PublishOptions) => Promise<PublishReceipt>;
  /** Rejects for what `publish` would find wrong with the message itself. */
  readonly check: (topic: string, payload: unknown, options: PublishOptions) => Promise<void>;
  /** Where requests to a topic are measured; undefined where nobody measures them. */
  readonly metricsOf?: (topic: string) => Required<TopicMetrics>;
  /** A reply came late, twice, or to no request of ours. */
  readonly onStrayReply: () => void;
}

/** Sends requests, and gives each its replies. All of them share one private inbox, opened with the first. */
export class Requester {
  private readonly pending: CallTable;
  private readonly presence: GroupPresence;
  private readonly deadlines: Deadlines;
  private readonly inbox: ReplyInbox;
  private readonly headers: OwnHeaders;
  private readonly reading: ReplyReading;
  private closed = false;

  constructor(private readonly parts: RequesterParts) {
    this.pending = new CallTable(parts.maxPending);
    this.deadlines = new Deadlines(parts.clock, SHARED_TIMEOUTS);
    this.reading = new ReplyReading(parts.channel);
    this.presence = new GroupPresence(parts.driver, parts.clock);
    this.inbox = new ReplyInbox(
      parts.channel,
      (arrival) => this.onReply(arrival),
      () => parts.onStrayReply(),
    );
    this.headers = new OwnHeaders(this.inbox.name);
  }

  /** Requests that wait for their replies. */
  get size(): number {
    return this.pending.waiting;
  }

  /** Sends a request and tells `observer` of its replies, never before it returns. What is returned calls it off. */
  call(topic: string, payload: unknown, options: ResolvedCall, observer: ReplyObserver): RequestHandle {
    const call = this.begin(topic, options, observer);
    if (!call) return nothing;
    call.group = options.group;
    this.send(call, payload, options).catch((error) => call.failed(error));
    return call;
  }

  /** The same, at most once and past the checks of a publish: `topic` is vouched for, and `headers` are checked already. */
  ask(topic: string, payload: unknown, options: DirectCall, observer: ReplyObserver): RequestHandle {
    const call = this.begin(topic, options, observer);
    if (!call) return nothing;
    this.encodeAndPost(call, payload, options);
    return call;
  }

  /**
   * Replies may have been missed: what waits for one is given up, with its outcome unknown. What is asked from then on is
   * sent when replies can be received again.
   */
  onDriverStatus(status: DriverStatus): void {
    if (status.type === 'disconnected') this.lost((call) => call.taken, status.error);
    if (this.inbox.missedReplies(status)) this.lost((call) => call.sent);
    this.inbox.onDriverStatus(status);
  }

  /** Gives up what waits with ClosedError. */
  close(): void {
    this.closed = true;
    for (const call of this.pending.calls()) call.fail(closedError());
    this.deadlines.clear();
  }

  /** Undefined when a request can be sent, and its replies received, now; else resolves when that is so. */
  private reachable(call: Call): Promise<void> | undefined {
    const usable = this.parts.usable();
    if (!usable && this.inbox.receives) return undefined;
    return this.untilReachable(call, usable);
  }

  private async untilReachable(call: Call, usable: Promise<void> | undefined): Promise<void> {
    await usable;
    await this.inbox.untilReceiving(() => !call.settled);
  }

  private begin(
    topic: string,
    { timeoutMs, leftMs, signal, name, sole = false, aside = false }: DirectCall,
    observer: ReplyObserver,
  ): Call | undefined {
    const refusal = this.refusal(signal);
    if (refusal) {
      queueMicrotask(() => callGuest(observer, OBSERVER, () => observer.error(refusal)));
      return undefined;
    }
    const deadlines = this.deadlines.of(timeoutMs);
    const first = leftMs === undefined ? deadlines : this.deadlines.of(leftMs);
    const call = new Call(this.pending.nextId(), topic, deadlines, observer, signal, this.bookkeeping, first);
    if (name !== undefined) call.name = name;
    call.sole = sole;
    call.aside = aside;
    if (!aside) this.measure(call);
    this.pending.add(call);
    return call;
  }

  private measure(call: Call): void {
    const { clock, metricsOf } = this.parts;
    call.metrics = metricsOf?.(call.name);
    if (call.metrics) call.askedMs = clock.monotonic();
  }

  private encodeAndPost(call: Call, payload: unknown, options: DirectCall): void {
    let body: EncodedBody | Promise<EncodedBody>;
    try {
      body = this.parts.channel.encode(payload);
    } catch (error) {
      queueMicrotask(() => call.fail(error));
      return;
    }
    const waiting = this.reachable(call);
    const { headers: own, timeoutMs, leftMs = timeoutMs } = options;
    if (!waiting && !types.isPromise(body)) this.post(call, own, leftMs, body);
    else {
      const left = this.timer(leftMs);
      Promise.all([body, waiting]).then(
        ([encoded]) => this.post(call, own, left(), encoded),
        (error: unknown) => call.failed(error),
      );
    }
  }

  /** Tells what is left of `timeoutMs` from now. */
  private timer(timeoutMs: number): () => number {
    const { clock } = this.parts;
    const startedMs = clock.monotonic();
    return () => Math.max(1, timeoutMs - (clock.monotonic() - startedMs));
  }

  private post(call: Call, own: Headers | undefined, leftMs: number, body: EncodedBody): void {
    if (call.settled) return;
    call.sent = true;
    const headers = this.headers.ofDirect(own, leftMs, call);
    this.parts.channel.send(call.topic, headers, body, call, call.id, call.timeoutMs);
  }

  private async send(call: Call, payload: unknown, options: ResolvedCall): Promise<void> {
    const left = this.timer(call.timeoutMs);
    const { headers: own, delivery } = options;
    const waiting = this.reachable(call);
    if (waiting)
      await Promise.all([waiting, this.parts.check(call.topic, payload, { headers: own, delivery })]);
    if (call.settled) return;
    if (await this.presence.isKnownEmpty(call.topic, call.group)) throw new NoRespondersError(call.name);
    if (call.settled) return;
    const headers = this.headers.ofPublished(own, left(), call);
    // Given up, it must not be sent any more.
    const timeout = waiting ? Math.ceil(left()) : call.timeoutMs;
    const limited = timeout < this.parts.publishTimeoutMs ? { timeout } : undefined;
    const sending = this.parts.publish(call.topic, payload, { headers, delivery, ...limited });
    call.sent = true;
    call.accepted(await sending);
  }

  /** Its headers name the call, so that one whose body cannot be read is told to it. */
  private onReply(arrival: Arrival): void {
    const { headers, id } = arrival.frame;
    const envelope = readReply(headers);
    const call = envelope && this.pending.find(headers[REQUEST_ID_HEADER] ?? id);
    if (call?.group) this.presence.remember(call.topic);
    if (!envelope || !call?.receive(envelope, arrival)) this.parts.onStrayReply();
  }

  private lost(concerned: (call: Call) => boolean, cause?: unknown): void {
    for (const call of this.pending.calls()) {
      if (!concerned(call)) continue;
      call.fail(new RequestTimeoutError(call.name, call.timeoutMs, { reason: 'connection-lost', cause }));
    }
  }

  private readonly bookkeeping = {
    read: (arrival: Arrival) => this.reading.read(arrival),
    holds: (bytes: number) => bytes <= this.parts.replyBufferBytes,
    unwanted: () => this.parts.onStrayReply(),
    settled: (call: Call, status: RequestStatus) => {
      this.pending.delete(call);
      call.metrics?.requested(status, (this.parts.clock.monotonic() - call.askedMs) / 1_000);
    },
    abandoned: (call: Call) => callOff(this.parts.channel, call.id),
    accepted: (call: Call, { receivers }: DriverReceipt) => {
      call.taken = true;
      if (receivers === 0) call.fail(new NoRespondersError(call.name));
    },
    unsent: (call: Call, error: unknown) => call.fail(unsentError(call, this.parts.publishTimeoutMs, error)),
  };

  private refusal(signal: AbortSignal | undefined): Error | undefined {
    if (this.closed) return closedError();
    if (signal?.aborted) return new AbortedError(signal.reason);
    if (this.pending.size < this.pending.most) return undefined;
    return new BackpressureError(`${this.pending.most} requests are waiting for their replies`);
  }
}

/** What a refused request leaves to be called off. */
const nothing: RequestHandle = { cancel: () => {} };

function closedError(): ClosedError {
  return new ClosedError('The bus was stopped before the request was answered');
}
