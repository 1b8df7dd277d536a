import { type Clock, sleep } from '../../timing/clock.js';

/** What runs under the locks of a bus, so that a shutdown can wait for it. */
export class RunningWork {
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly clock: Clock) {}

  /** Counts `work` as running until it is settled, and returns it. */
  track<Result>(work: Promise<Result>): Promise<Result> {
    this.running.add(work);
    const ended = () => void this.running.delete(work);
    work.then(ended, ended);
    return work;
  }

  /** Resolves when nothing runs any more, after `timeoutMs` at the latest. Whether that was in time. */
  async idle(timeoutMs: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(timeoutMs, this.clock, timer.signal);
    let inTime = true;
    while (this.running.size > 0 && inTime) {
      const settled = Promise.allSettled(this.running).then(() => true);
      inTime = await Promise.race([settled, late.then(() => false)]);
    }
    timer.abort();
    return inTime;
  }
}
