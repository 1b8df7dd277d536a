import type { DriverPublishOptions } from '../../driver/driver.js';
import { AbortedError } from '../../errors/bus.errors.js';
import type { DiscoBusError } from '../../errors/disco-bus-error.js';
import type { Clock } from '../../timing/clock.js';
import type { Deadline } from '../../timing/deadline-queue.js';
import type { Deadlines } from '../../timing/deadlines.js';

/** How long a call waits, what ends its waiting, and what it takes of a buffer. */
export interface Stay {
  /** @default without bound */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** @default none: it takes nothing of the buffer */
  readonly bytes?: number;
  late(): DiscoBusError;
}

/** A call that waits. It ends once: it is let in, or turned away. */
class Visit {
  deadline: Deadline | undefined;

  constructor(
    readonly stay: Stay,
    private readonly enter: () => void,
    private readonly reject: (error: unknown) => void,
    private readonly onLeft: (visit: Visit) => void,
  ) {
    stay.signal?.addEventListener('abort', this, { once: true });
  }

  letIn(): void {
    this.leave();
    this.enter();
  }

  turnAway(error: DiscoBusError): void {
    this.leave();
    this.reject(error);
  }

  /** The signal's listener. */
  handleEvent(): void {
    this.turnAway(new AbortedError(this.stay.signal?.reason));
  }

  private leave(): void {
    this.deadline?.cancel();
    this.stay.signal?.removeEventListener('abort', this);
    this.onLeft(this);
  }
}

/** Calls that wait for one event, in their order, each no longer than its own time and until its signal aborts. */
export class WaitingCalls {
  /** How many of those that wait take something of the buffer, and how much. */
  frames = 0;
  bytes = 0;
  private readonly visits = new Set<Visit>();

  constructor(
    private readonly clock: Clock,
    private readonly deadlines: Deadlines,
  ) {}

  /** Calls `enter`, with the time that was waited, when all are let in, and resolves as it does. */
  wait<Outcome>(stay: Stay, enter: (waitedMs: number) => Promise<Outcome>): Promise<Outcome> {
    const { signal, timeoutMs } = stay;
    if (signal?.aborted) return Promise.reject(new AbortedError(signal.reason));
    const sinceMs = this.clock.monotonic();
    return new Promise<Outcome>((resolve, reject) => {
      const begin = () => void enter(this.clock.monotonic() - sinceMs).then(resolve, reject);
      const visit = new Visit(stay, begin, reject, this.left);
      if (timeoutMs !== undefined) {
        visit.deadline = this.deadlines.add(timeoutMs, () => visit.turnAway(stay.late()));
      }
      this.visits.add(visit);
      this.count(stay, 1);
    });
  }

  letAllIn(): void {
    for (const visit of this.visits) visit.letIn();
  }

  turnAllAway(error: DiscoBusError): void {
    for (const visit of this.visits) visit.turnAway(error);
  }

  private count({ bytes }: Stay, step: 1 | -1): void {
    if (bytes === undefined) return;
    this.frames += step;
    this.bytes += step * bytes;
  }

  private readonly left = (visit: Visit): void => {
    if (this.visits.delete(visit)) this.count(visit.stay, -1);
  };
}

/** The same publish, with the time that it has waited taken off. */
export function shortened(options: DriverPublishOptions, waitedMs: number): DriverPublishOptions {
  const { timeoutMs, delayMs, ttlMs } = options;
  return {
    ...options,
    timeoutMs: Math.max(1, Math.ceil(timeoutMs - waitedMs)),
    delayMs: delayMs === undefined ? undefined : Math.max(0, delayMs - waitedMs),
    ttlMs: ttlMs === undefined ? undefined : Math.max(1, ttlMs - waitedMs),
  };
}
