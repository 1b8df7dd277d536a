import { inNobodysContext } from '../driver/async-context.js';
import type { Delivery } from '../driver/delivery.js';
import type { Clock } from '../timing/clock.js';
import type { StartGate } from './start-gate.js';

/** What a {@link Dispatcher} goes by. */
export interface DispatcherOptions {
  /** Deliveries handled at the same time. */
  readonly concurrency: number;
  /** Deliveries that may wait for a place; `Infinity` where the driver bounds them. */
  readonly limit: number;
  readonly overflow: 'drop-new' | 'drop-old';
  /** While it is shut, everything waits. */
  readonly gate: StartGate;
  readonly clock: Clock;
  /**
   * Handles one delivery; must not throw or reject. A promise holds the place until it resolves. `cameMs`: when one that had
   * to wait came, on the monotonic clock.
   */
  readonly handle: (delivery: Delivery, cameMs: number | undefined) => void | Promise<void>;
  /** Told of each delivery that gave way. */
  readonly onOverflow: (delivery: Delivery) => void;
}

/** Starts deliveries in the order they came, never more at a time than `concurrency`; the rest wait, bounded. */
export class Dispatcher {
  private running = 0;
  private waiting: Delivery[] = [];
  /** When each of them came. */
  private came: number[] = [];
  private head = 0;
  private idleWaiters: (() => void)[] = [];
  private draining = false;

  constructor(private readonly options: DispatcherOptions) {}

  /** Deliveries waiting for a place. */
  get backlog(): number {
    return this.waiting.length - this.head;
  }

  push(delivery: Delivery): void {
    if (this.mayStart() && this.backlog === 0) this.start(delivery);
    else this.enqueue(delivery);
  }

  /** The gate was opened: starts what waits. */
  resume(): void {
    this.drain();
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    if (this.running === 0 && this.backlog === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Forgets what waits, and returns it; what runs goes on. */
  clear(): Delivery[] {
    const dropped = this.waiting.slice(this.head);
    this.waiting = [];
    this.came = [];
    this.head = 0;
    this.wakeIfIdle();
    return dropped;
  }

  private enqueue(delivery: Delivery): void {
    if (this.backlog >= this.options.limit) {
      const dropNew = this.options.overflow === 'drop-new';
      this.options.onOverflow(dropNew ? delivery : this.shift());
      if (dropNew) return;
    }
    this.waiting.push(delivery);
    this.came.push(this.options.clock.monotonic());
  }

  private shift(): Delivery {
    const delivery = this.waiting[this.head];
    this.waiting[this.head++] = undefined as unknown as Delivery;
    if (this.head > 1024 && this.head * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.head);
      this.came = this.came.slice(this.head);
      this.head = 0;
    }
    return delivery;
  }

  private start(delivery: Delivery, cameMs?: number): void {
    this.running++;
    const handling = this.options.handle(delivery, cameMs);
    if (handling) handling.then(this.ended, this.ended);
    else this.ended();
  }

  private readonly ended = (): void => {
    this.running--;
    this.drain();
    this.wakeIfIdle();
  };

  /** A loop, not a recursion: handlers that answer at once end within their own start. */
  private drain(): void {
    if (!this.draining && this.backlog > 0) inNobodysContext(this.startWaiting);
  }

  private readonly startWaiting = (): void => {
    this.draining = true;
    while (this.backlog > 0 && this.mayStart()) {
      const cameMs = this.came[this.head];
      this.start(this.shift(), cameMs);
    }
    this.draining = false;
  };

  private mayStart(): boolean {
    return this.running < this.options.concurrency && !this.options.gate.paused;
  }

  private wakeIfIdle(): void {
    if (this.running > 0 || this.backlog > 0 || this.idleWaiters.length === 0) return;
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
