import { MessageTooLargeError } from '../../../../errors/message.errors.js';
import { isBundle, splitBundle } from '../../../../message/bundle.js';
import type { StreamDelivery } from './stream-delivery.js';
import type { ConsumerSubscriptions, StreamSubscription } from './subscriptions.js';

/** What is to be done next: hand `delivery` to a subscription, or, to none, acknowledge it unhandled. */
export interface Handing {
  readonly delivery: StreamDelivery;
  /** Undefined when its time to live is over. */
  readonly to: StreamSubscription | undefined;
}

/** How a delivery is held: until its turn comes, until it can be tried alone, or only until it is settled. */
export type HandRole = 'ordinary' | 'suspect' | 'apart';

/**
 * What this process holds of one topic and group, and who is handed what next. It is asked and never calls: no timer, no
 * Redis, no callback.
 *
 * Ordinary deliveries are handed over in the order they came, as far as subscriptions have places. Suspects (entries
 * that may have crashed a process) are tried one at a time, with nothing ordinary beside them.
 */
export class Hand {
  /** Everything unsettled, in no order: each delivery knows its place. */
  private readonly held: StreamDelivery[] = [];
  private waiting: StreamDelivery[] = [];
  private head = 0;
  private suspects: StreamDelivery[] = [];
  private out = 0;
  private trying = false;
  /** What was held when the group was made again: Redis may hand it out a second time. */
  private repeatable = new Map<string, StreamDelivery>();

  constructor(private readonly subscriptions: ConsumerSubscriptions) {}

  /** How many entries may be read now. */
  get room(): number {
    return this.holdsBack ? 0 : Math.max(0, this.subscriptions.readAhead - this.waitingCount);
  }

  /** Ordinary deliveries that were read and not handed over. */
  get waitingCount(): number {
    return this.waiting.length - this.head;
  }

  /** Everything that is not settled. */
  get count(): number {
    return this.held.length;
  }

  /** Deliveries that were handed over and are not settled. */
  get handedOut(): number {
    return this.out;
  }

  /** The next suspect, if a subscription has a place for it. */
  get suspect(): StreamDelivery | undefined {
    return this.suspects.length > 0 && this.subscriptions.hasPlace ? this.suspects[0] : undefined;
  }

  /** The names of entries, and of parts of bundles, whose handlers have begun and not ended. */
  begun(): readonly string[] {
    return this.held.flatMap((delivery) => (delivery.phase === 'handed' ? delivery.begunNames() : []));
  }

  /** Whether it also holds entries whose handlers have not begun. */
  get hasUnbegun(): boolean {
    return this.held.some(({ hasWhollyBegun }) => !hasWhollyBegun);
  }

  /** The names of all entries that are held. */
  keys(): ReadonlySet<string> {
    return new Set(this.held.map(({ key }) => key));
  }

  /** All that is held, in no order. */
  get deliveries(): readonly StreamDelivery[] {
    return this.held;
  }

  /** False, and nothing is added, if the entry is held already. */
  add(delivery: StreamDelivery, role: HandRole): boolean {
    const repeated = this.repeatable.size > 0 && this.repeatable.get(delivery.key);
    if (repeated && this.holds(repeated)) return false;
    delivery.seat = this.held.push(delivery) - 1;
    if (role === 'ordinary') this.waiting.push(delivery);
    if (role === 'suspect') this.suspects.push(delivery);
    return true;
  }

  /** From now on entries may come that are held already. */
  expectRepeats(): void {
    this.repeatable = new Map(this.held.map((delivery) => [delivery.key, delivery]));
  }

  holds(delivery: StreamDelivery): boolean {
    return this.held[delivery.seat] === delivery;
  }

  /** The only rule of what goes next; undefined when nothing may. What is returned has left the hand's queue. */
  next(serverNowMs: number): Handing | undefined {
    if (this.holdsBack) return undefined;
    while (this.waitingCount > 0) {
      const delivery = this.waiting[this.head];
      const waits = delivery.phase === 'waiting';
      const expired = waits && delivery.isExpired(serverNowMs);
      const to = waits && !expired ? this.subscriptions.next() : undefined;
      if (waits && !expired && to === undefined) return undefined;
      this.shift();
      if (to !== undefined) return this.hand(delivery, to);
      if (expired) return { delivery, to };
    }
    return undefined;
  }

  /** Takes the next suspect out, to be handed over alone: until `endTrial` nothing ordinary is. Undefined when none can be. */
  beginTrial(): Handing | undefined {
    const { suspect } = this;
    const to = suspect && this.subscriptions.next();
    if (suspect === undefined || to === undefined) return undefined;
    this.suspects.shift();
    this.trying = true;
    return this.hand(suspect, to);
  }

  endTrial(): void {
    this.trying = false;
  }

  /** A suspect is tried, or could be: nothing ordinary is read or handed over. */
  private get holdsBack(): boolean {
    return this.trying || this.suspect !== undefined;
  }

  /** Takes a settled delivery out. False if it was not held. */
  settled(delivery: StreamDelivery): boolean {
    if (!this.holds(delivery)) return false;
    const { seat } = delivery;
    const last = this.held.pop() as StreamDelivery;
    if (last !== delivery) {
      this.held[seat] = last;
      last.seat = seat;
    }
    if (delivery.holder !== undefined) this.out--;
    else this.suspects = this.suspects.filter((suspect) => suspect !== delivery);
    return true;
  }

  /** Empties both queues. Returns all that was not handed over; it counts as held until it is settled. */
  takeBack(): readonly StreamDelivery[] {
    this.waiting = [];
    this.head = 0;
    this.suspects = [];
    return this.held.filter(({ phase }) => phase === 'waiting');
  }

  /** Empties the hand and returns what was in it. */
  clear(): readonly StreamDelivery[] {
    this.takeBack();
    this.out = 0;
    return this.held.splice(0);
  }

  private hand(delivery: StreamDelivery, to: StreamSubscription): Handing {
    delivery.phase = 'handed';
    delivery.holder = to;
    this.out++;
    return { delivery, to };
  }

  private shift(): void {
    this.head++;
    if (this.head < this.waiting.length && this.head < 64) return;
    this.waiting.splice(0, this.head);
    this.head = 0;
  }
}

/** How the hand is to hold a delivery that was read. One that is too large gets its `refusal`. */
export function roleOf(delivery: StreamDelivery, serverNowMs: number, maxFrameBytes: number): HandRole {
  const { frame } = delivery.entry;
  if (frame === undefined || delivery.isExpired(serverNowMs)) return 'apart';
  if (frame.length > maxFrameBytes) {
    // It is handed over all the same: the subscriber knows the topic's policy, settles it and informs the sender.
    delivery.refusal = new MessageTooLargeError(frame.length, maxFrameBytes);
    return 'ordinary';
  }
  if (!delivery.isSuspect) return 'ordinary';
  return partsOf(frame) === undefined ? 'suspect' : 'apart';
}

/** Settles a delivery that nobody may handle as it is: without a frame, past its time to live, or a bundle that crashed its process. */
export function settleApart(delivery: StreamDelivery, serverNowMs: number): void {
  const { frame } = delivery.entry;
  if (frame === undefined) {
    const error = { name: 'CodecError', message: 'The entry has no frame' };
    delivery.givenUp = 'unreadable';
    delivery.deadLetter({ reason: 'undecodable', error }).catch(() => undefined);
  } else if (delivery.isExpired(serverNowMs)) delivery.discard();
  else delivery.split(partsOf(frame) ?? []).catch(() => undefined);
}

/** The messages of a bundle; undefined for what is none, or cannot be split. */
function partsOf(frame: Buffer): Uint8Array[] | undefined {
  try {
    return isBundle(frame) ? splitBundle(frame) : undefined;
  } catch {
    return undefined;
  }
}
