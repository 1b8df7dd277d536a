import type { Arrival } from './direct-channel.js';
import type { ReplyKind } from './request-headers.js';

/** What a reply that is held counts as beside its body: its headers and its place. */
const OVERHEAD_BYTES = 512;
const LEAST_BUFFER_BYTES = 16 * 1024 * 1024;

/**
 * How many bytes of replies one call may hold, those being read included: four of the largest messages, and at least
 * 16 MiB. A body counts as it travelled, and each reply 512 bytes beside it.
 */
export function replyBufferBytes(maxMessageBytes: number): number {
  return Math.max(4 * maxMessageBytes, LEAST_BUFFER_BYTES);
}

/** A reply whose body is not read yet. */
export interface UnreadReply {
  readonly kind: ReplyKind;
  readonly arrival: Arrival;
}

/** Who reads the replies that a {@link ReplyOrder} puts in order. */
export interface ReplyTaker {
  /** Reads what is next in order, and tells of it. A promise where reading takes its time. */
  take(reply: UnreadReply): Promise<void> | undefined;
  /** Whether so many bytes more may be held; if not, the whole is given up. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
}

/**
 * Keeps the order of the replies of one responder, by reading each when those before it are read: what comes while a large
 * one takes its time is held as it travelled.
 */
export class ReplyOrder {
  private next = 0;
  private reading = false;
  private readonly held = new Map<number, UnreadReply>();

  constructor(private readonly taker: ReplyTaker) {}

  /** Takes a reply that arrived; false for a duplicate. */
  add(sequence: number, reply: UnreadReply): boolean {
    if (sequence < this.next || this.held.has(sequence)) return false;
    if (sequence === this.next && !this.reading) this.readFrom(reply);
    else if (this.taker.hold(sizeOf(reply))) this.held.set(sequence, detached(reply));
    return true;
  }

  private readFrom(first: UnreadReply | undefined): void {
    let later: Promise<void> | undefined;
    this.reading = true;
    try {
      for (let reply = first; reply && !later; reply = later ? undefined : this.nextHeld()) {
        this.next++;
        later = this.taker.take(reply);
        if (later) void this.goOnAfter(later, sizeOf(reply));
      }
    } finally {
      this.reading = later !== undefined;
    }
  }

  private goOnAfter(later: Promise<void>, bytes: number): Promise<void> {
    const counted = this.taker.hold(bytes);
    return later.finally(() => {
      if (counted) this.taker.release(bytes);
      this.readFrom(this.nextHeld());
    });
  }

  private nextHeld(): UnreadReply | undefined {
    const reply = this.held.get(this.next);
    if (reply === undefined) return undefined;
    this.held.delete(this.next);
    this.taker.release(sizeOf(reply));
    return reply;
  }
}

function sizeOf({ arrival }: UnreadReply): number {
  return arrival.frame.bodyBytes + OVERHEAD_BYTES;
}

/** Without the bundle that it came in, which would keep all others of it in memory. */
function detached({ kind, arrival }: UnreadReply): UnreadReply {
  const { frame } = arrival;
  const body = typeof frame.body === 'string' ? frame.body : Buffer.from(frame.body);
  return { kind, arrival: { ...arrival, frame: { ...frame, body, bodyOwned: false } } };
}
