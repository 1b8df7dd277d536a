import { type Clock, sleep } from '../timing/clock.js';
import { type BusLogger, errorLine } from './options/bus-logger.js';

/** What the last step is given, however much of the time is left. */
const LAST_MS = 250;

/** The time that closing may take, shared by its steps. */
export class Grace {
  private leftMs: number;

  constructor(
    private readonly totalMs: number,
    private readonly clock: Clock,
    private readonly logger: BusLogger,
  ) {
    this.leftMs = totalMs;
  }

  /** Resolves when `work` has ended, however it did, or when no time is left. Tells of an error, and of what is not waited for. */
  async within(work: Promise<unknown>): Promise<void> {
    const timer = new AbortController();
    const { totalMs, clock, logger } = this;
    const startedMs = clock.monotonic();
    const late = sleep(this.leftMs, clock, timer.signal).then(() => {
      if (!timer.signal.aborted) logger.warn(`Shutdown: still busy after ${totalMs} ms; closing`);
    });
    await Promise.race([work, late]).catch((error) => logger.error(`Shutdown: ${errorLine(error)}`));
    timer.abort();
    await late;
    this.leftMs = Math.max(0, this.leftMs - (clock.monotonic() - startedMs));
  }

  /** The last step: told how long it may take, and not waited for much longer. */
  async last(work: (graceMs: number) => Promise<unknown>): Promise<void> {
    const graceMs = Math.max(this.leftMs, LAST_MS);
    this.leftMs = graceMs + LAST_MS;
    await this.within(work(graceMs));
  }
}
