import { AbortedError } from '../../errors/bus.errors.js';
import { RemoteError, type RemoteFailure, RequestTimeoutError } from '../../errors/request.errors.js';
import type { Headers } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { Deadlined, type DeadlineQueue } from '../../timing/deadline-queue.js';
import { ReplyOrder } from './reply-order.js';
import type { ReplyEnvelope, ReplyKind } from './request-headers.js';

/** Who is told of the replies to one call. After `complete` or `error`, which comes once, it is told nothing more. */
export interface ReplyObserver {
  next(payload: unknown, headers: Headers): void;
  complete(): void;
  /** A RemoteError, NoRespondersError, RequestTimeoutError, or what kept the request from being sent. */
  error(error: unknown): void;
}

interface Reply {
  readonly kind: ReplyKind;
  readonly message: Message;
}

/** Responders of one call that are told apart; more than that is not an answer but a flood. */
const RESPONDER_LIMIT = 1024;

/** One request that waits for its replies. It settles once. */
export class Call extends Deadlined {
  /** It was handed to the driver: from then on it may be handled. */
  sent = false;
  /** The driver has accepted it. */
  accepted = false;
  settled = false;
  private readonly orders = new Map<string, ReplyOrder<Reply>>();

  constructor(
    readonly id: string,
    readonly topic: string,
    private readonly deadlines: DeadlineQueue,
    private readonly observer: ReplyObserver,
    private readonly signal: AbortSignal | undefined,
    private readonly on: {
      settled(call: Call): void;
      /** Work for it may be under way, and nobody waits for it. */
      abandoned(call: Call): void;
    },
  ) {
    super();
    deadlines.track(this);
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  get timeoutMs(): number {
    return this.deadlines.timeoutMs;
  }

  /** Takes a reply; false if it is none that this call still waits for. */
  receive({ responder, sequence, kind }: ReplyEnvelope, message: Message): boolean {
    if (this.settled) return false;
    let order = this.orders.get(responder);
    if (!order) {
      if (this.orders.size >= RESPONDER_LIMIT) return false;
      order = new ReplyOrder();
      this.orders.set(responder, order);
    }
    return order.add(sequence, { kind, message }, this.deliver);
  }

  fail(error: unknown): void {
    if (this.settle()) this.observer.error(error);
  }

  /** Nobody waits any more; the observer is told nothing. */
  cancel(): void {
    if (this.settle() && this.sent) this.on.abandoned(this);
  }

  expired(): void {
    const streaming = this.orders.size > 0;
    this.fail(new RequestTimeoutError(this.topic, this.timeoutMs));
    if (streaming) this.on.abandoned(this);
  }

  private readonly deliver = ({ kind, message }: Reply): void => {
    if (this.settled) return;
    if (kind === 'error') this.fail(remoteError(this.topic, message.payload));
    else if (kind === 'end') this.complete();
    else if (kind === 'last') this.last(message);
    else this.value(message);
  };

  /** A further one may take as long as the first. */
  private value({ payload, headers }: Message): void {
    this.deadlines.delete(this);
    this.deadlines.track(this);
    this.observer.next(payload, headers);
  }

  private last({ payload, headers }: Message): void {
    if (!this.settle()) return;
    this.observer.next(payload, headers);
    this.observer.complete();
  }

  private complete(): void {
    if (this.settle()) this.observer.complete();
  }

  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.deadlines.delete(this);
    this.signal?.removeEventListener('abort', this.onAbort);
    this.on.settled(this);
    return true;
  }

  private readonly onAbort = (): void => {
    const { sent } = this;
    this.fail(new AbortedError(this.signal?.reason));
    if (sent) this.on.abandoned(this);
  };
}

function remoteError(topic: string, details: unknown): RemoteError {
  if (typeof details === 'string')
    return new RemoteError(topic, { message: details.slice(0, 1000) }, details);
  const { name, message, code } = (details ?? {}) as Partial<Record<keyof RemoteFailure, unknown>>;
  const failure = {
    name: typeof name === 'string' ? name : undefined,
    message: typeof message === 'string' ? message : 'The handler failed',
    code: typeof code === 'string' ? code : undefined,
  };
  return new RemoteError(topic, failure, details);
}
