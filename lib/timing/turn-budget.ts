import { setImmediate } from 'node:timers';

/** How long one turn of the event loop may go on with work that can wait. */
const TURN_MS = 15;

/** What is spent on work in one turn of the event loop, so that who has much to do lets others have theirs. */
class TurnBudget {
  private usedMs = 0;
  private running = false;
  private readonly waiting: (() => void)[] = [];

  /** Whether the present turn has no time left for such work. */
  get spent(): boolean {
    return this.usedMs > TURN_MS;
  }

  /** So much was spent in the present turn. */
  spend(ms: number): void {
    this.usedMs += ms;
    if (this.running) return;
    this.running = true;
    setImmediate(this.end);
  }

  /** The same for what `work` takes until it returns or throws; what it spends itself counts once. */
  spendOn<T>(work: () => T): T {
    const startedMs = performance.now();
    const before = this.usedMs;
    try {
      return work();
    } finally {
      this.spend(performance.now() - startedMs - (this.usedMs - before));
    }
  }

  /** Calls `resume`, which must not throw, in a turn to come, behind what waits already. To be called when all is spent. */
  later(resume: () => void): void {
    this.waiting.push(resume);
  }

  private readonly end = (): void => {
    this.running = false;
    this.usedMs = 0;
    for (let due = this.waiting.length; due > 0 && !this.spent; due--) this.waiting.shift()?.();
  };
}

/** Of this process: whatever reads messages shares it. */
export const turnBudget = new TurnBudget();

/** The pauses of one worker: when the turn's time is spent it stops, and goes on in a turn to come. */
export class TurnPause {
  /** The present turn is over for this worker. */
  active = false;

  /** `goOn`: continues the work; must not throw. */
  constructor(private readonly goOn: () => void) {}

  /** Whether the worker has to stop now; `goOn` is then called once. */
  begins(): boolean {
    if (this.active || !turnBudget.spent) return this.active;
    this.active = true;
    turnBudget.later(this.end);
    return true;
  }

  private readonly end = (): void => {
    this.active = false;
    this.goOn();
  };
}
