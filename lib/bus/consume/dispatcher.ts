import { inNobodysContext } from '../../driver/async-context.js';
import type { Delivery } from '../../driver/delivery.js';
import type { Clock } from '../../timing/clock.js';
import { TurnPause, turnBudget } from '../../timing/turn-budget.js';
import { type Backlog, sizeOf } from './backlog.js';
import type { StartGate } from './start-gate.js';

/** What a {@link Dispatcher} goes by. */
export interface DispatcherOptions {
  /** Deliveries handled at the same time, those included that wait for their key. */
  readonly concurrency: number;
  /** How many of them are no backlog: the handlers that run. */
  readonly handlers: number;
  /** What waits is counted there. @default the driver bounds what waits */
  readonly backlog?: Backlog;
  /** While it is shut, everything waits. */
  readonly gate: StartGate;
  readonly clock: Clock;
  /**
   * Handles one delivery; must not throw or reject. A promise holds the place until it resolves. `cameMs`: when one that had
   * to wait came, on the monotonic clock.
   */
  readonly handle: (delivery: Delivery, cameMs: number | undefined) => void | Promise<void>;
  /** Gives up what counts in the same backlog, and has waited for longer; false when there is nothing. */
  readonly giveUpOlder: () => boolean;
  /** The same delivery without the bundle that it came in. */
  readonly detached: (delivery: Delivery) => Delivery;
  /** Told of each delivery that gave way. */
  readonly onOverflow: (delivery: Delivery) => void;
}

/** Starts deliveries in the order they came, never more at a time than `concurrency`; the rest wait, bounded. */
export class Dispatcher {
  private running = 0;
  private waiting: Delivery[] = [];
  /** When each of them came. */
  private came: number[] = [];
  /** What each of them counts as; kept only where there is a backlog. */
  private sizes: number[] = [];
  private head = 0;
  private idleWaiters: (() => void)[] = [];
  private draining = false;
  /** Many messages that take long to read, or to handle, in one go must not hold up the process. */
  private readonly pause = new TurnPause(() => {
    this.drain();
    this.wakeIfIdle();
  });
  /** Something gave way, and what came before still waits. */
  private overflowing = false;
  private limit = Number.POSITIVE_INFINITY;

  constructor(private readonly options: DispatcherOptions) {}

  /** Deliveries waiting for a place. */
  private get length(): number {
    return this.waiting.length - this.head;
  }

  push(delivery: Delivery): void {
    if (this.length > 0 || !this.mayStart() || this.pause.begins()) this.enqueue(delivery);
    else this.startNew(delivery);
  }

  /** Never more at a time than this from now on, beside its own bound. What runs goes on. */
  limitTo(limit: number): void {
    this.limit = limit;
    this.drain();
  }

  /** The gate was opened: starts what waits. */
  resume(): void {
    this.drain();
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    if (this.running === 0 && this.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Forgets what waits, and returns it; what runs goes on. */
  clear(): Delivery[] {
    const dropped = this.waiting.slice(this.head);
    for (let index = this.head; index < this.sizes.length; index++)
      this.options.backlog?.remove(this.sizes[index]);
    this.waiting = [];
    this.came = [];
    this.sizes = [];
    this.head = 0;
    this.wakeIfIdle();
    return dropped;
  }

  private enqueue(delivery: Delivery): void {
    const { backlog, clock, detached } = this.options;
    if (backlog) {
      const bytes = sizeOf(delivery);
      if (this.pause.active && this.startsForRoom(bytes, backlog)) {
        this.startNew(delivery);
        return;
      }
      if (!this.admits(delivery, bytes)) return;
      backlog.add(bytes);
      this.sizes.push(bytes);
    }
    // Of a bundle that is taken in part, no part that waits may keep the others.
    this.waiting.push(this.overflowing ? detached(delivery) : delivery);
    this.came.push(clock.monotonic());
  }

  /**
   * What waits for its turn alone is begun out of turn before anything is given up. True when nothing waits any more and one
   * may start, but what has failed fills the backlog.
   */
  private startsForRoom(bytes: number, backlog: Backlog): boolean {
    while (!backlog.hasRoom(bytes) && this.mayStart()) {
      if (this.length === 0) return true;
      this.startOldest();
    }
    return false;
  }

  private startNew(delivery: Delivery): void {
    if (this.running < this.options.handlers) this.start(delivery);
    else this.startBehind(delivery);
  }

  /** Starts what waits for its key, not for a place: it counts until it has ended. */
  private startBehind(delivery: Delivery): void {
    const { backlog } = this.options;
    if (!backlog) {
      this.start(delivery);
      return;
    }
    const bytes = sizeOf(delivery);
    if (!this.admits(delivery, bytes)) return;
    backlog.add(bytes);
    this.start(this.overflowing ? this.options.detached(delivery) : delivery, undefined, bytes);
  }

  private admits(delivery: Delivery, bytes: number): boolean {
    if (this.options.backlog?.makeRoom(bytes, this.giveUpOldest) !== false) return true;
    this.overflowing = true;
    this.options.onOverflow(delivery);
    return false;
  }

  private readonly giveUpOldest = (): boolean => {
    const { giveUpOlder, onOverflow } = this.options;
    if (giveUpOlder()) return true;
    if (this.length === 0) return false;
    onOverflow(this.shift());
    return true;
  };

  private shift(): Delivery {
    const delivery = this.waiting[this.head];
    this.options.backlog?.remove(this.sizes[this.head]);
    this.waiting[this.head++] = undefined as unknown as Delivery;
    if (this.head > 1024 && this.head * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.head);
      this.came = this.came.slice(this.head);
      this.sizes = this.sizes.slice(this.head);
      this.head = 0;
    }
    return delivery;
  }

  /** `countedBytes`: what it counts as in the backlog until it has ended; undefined where it does not count. */
  private start(delivery: Delivery, cameMs?: number, countedBytes?: number): void {
    this.running++;
    const startedMs = performance.now();
    const handling = this.options.handle(delivery, cameMs);
    turnBudget.spend(performance.now() - startedMs);
    if (countedBytes === undefined) {
      if (handling) handling.then(this.ended, this.ended);
      else this.ended();
      return;
    }
    const ended = () => {
      this.options.backlog?.remove(countedBytes);
      this.ended();
    };
    if (handling) handling.then(ended, ended);
    else ended();
  }

  private readonly ended = (): void => {
    this.running--;
    this.drain();
    if (this.length === 0 && this.running < this.options.handlers) this.overflowing = false;
    this.wakeIfIdle();
  };

  /** A loop, not a recursion: handlers that answer at once end within their own start. */
  private drain(): void {
    if (!this.draining && this.length > 0) inNobodysContext(this.startWaiting);
  }

  private readonly startWaiting = (): void => {
    this.draining = true;
    while (this.length > 0 && this.mayStart() && !this.pause.begins()) this.startOldest();
    this.draining = false;
  };

  private startOldest(): void {
    const cameMs = this.came[this.head];
    const bytes = this.sizes[this.head];
    const delivery = this.shift();
    const counted = this.running >= this.options.handlers && bytes !== undefined;
    if (counted) this.options.backlog?.add(bytes);
    this.start(delivery, cameMs, counted ? bytes : undefined);
  }

  private mayStart(): boolean {
    return this.running < Math.min(this.options.concurrency, this.limit) && !this.options.gate.paused;
  }

  private wakeIfIdle(): void {
    if (this.running > 0 || this.length > 0 || this.idleWaiters.length === 0) return;
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
