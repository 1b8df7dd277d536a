import { type Clock, type ClockTimer } from '../../timing/clock.js';
import { MAX_DURATION_MS } from '../../timing/duration.js';

/** Something to be done later. */
export interface Appointment {
  /** On the monotonic clock. */
  readonly dueMs: number;
  /** Takes it off the agenda; does nothing once it has run. */
  cancel(): void;
}

/**
 * Everything a broker has to do later, on one timer: earliest first, and in the order of adding where due at once.
 * The timer runs only while the agenda is open, so that a broker without drivers leaves nothing running.
 */
export class Agenda {
  private readonly heap: Item[] = [];
  private timer: ClockTimer | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;
  private count = 0;
  private opened = false;

  constructor(private readonly clock: Clock) {}

  /** Calls `run` once, `delayMs` from now or, where the agenda is closed then, when it is opened again. */
  in(delayMs: number, run: () => void): Appointment {
    const item = new Item(this.clock.monotonic() + delayMs, this.count++, run, this);
    this.push(item);
    this.arm();
    return item;
  }

  open(): void {
    this.opened = true;
    this.arm();
  }

  /** Stops the timer; what is on the agenda stays. */
  close(): void {
    this.opened = false;
    this.disarm();
  }

  /** Sets the timer for the earliest item that still stands. */
  arm(): void {
    if (!this.opened) return;
    while (this.heap.length > 0 && this.heap[0].run === undefined) this.pop();
    const dueMs = this.heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    if (dueMs === this.timerDueMs) return;
    this.disarm();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(Math.ceil(dueMs - this.clock.monotonic()), 0), MAX_DURATION_MS);
    this.timerDueMs = dueMs;
    this.timer = this.clock.setTimeout(() => this.runDue(), delayMs);
  }

  private disarm(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.timerDueMs = Number.POSITIVE_INFINITY;
  }

  private runDue(): void {
    this.disarm();
    const now = this.clock.monotonic();
    while (this.heap.length > 0 && this.heap[0].dueMs <= now) this.pop().take()?.();
    this.arm();
  }

  private push(item: Item): void {
    const { heap } = this;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!item.before(heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = item;
  }

  private pop(): Item {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  private sink(item: Item): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < heap.length && heap[child + 1].before(heap[child])) child++;
      if (child >= heap.length || !heap[child].before(item)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = item;
  }
}

class Item implements Appointment {
  constructor(
    readonly dueMs: number,
    private readonly order: number,
    public run: (() => void) | undefined,
    private readonly agenda: Agenda,
  ) {}

  before(other: Item): boolean {
    return this.dueMs < other.dueMs || (this.dueMs === other.dueMs && this.order < other.order);
  }

  cancel(): void {
    if (this.take() !== undefined) this.agenda.arm();
  }

  /** What is to be run, once. */
  take(): (() => void) | undefined {
    const { run } = this;
    this.run = undefined;
    return run;
  }
}
