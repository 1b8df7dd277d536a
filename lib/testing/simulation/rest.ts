import { NotSettledError } from '../application/not-settled.error.js';
import { pendingWork } from '../application/pending-work.js';
import type { WitnessedBus } from '../application/witnessed-bus.js';
import type { ManualClock } from '../manual-clock.js';
import type { Acts } from './acts.js';

/** What is to come to rest. */
export interface Restless {
  readonly clock: ManualClock;
  readonly withinMs: number;
  readonly buses: () => readonly WitnessedBus[];
  readonly acts: Acts;
  /** Called after each move of the clock; may throw. */
  readonly check: () => Promise<void>;
}

const FIRST_MS = 50;
const LONGEST_MS = 10_000;

/** Moves the clock until nothing is published, waiting, running or due. Rejects with NotSettledError when its time is over. */
export async function atRest({ clock, withinMs, buses, acts, check }: Restless): Promise<void> {
  const endMs = clock.monotonic() + withinMs;
  for (let moveMs = FIRST_MS; ; moveMs = Math.min(2 * moveMs, LONGEST_MS)) {
    await clock.advance(moveMs);
    await check();
    const leftMs = Math.max(0, endMs - clock.monotonic());
    const works = await Promise.all(buses().map((bus) => pendingWork(bus, withinMs)));
    const pending = [...acts.pending(), ...new Set(works.flat())];
    if (pending.length === 0) return;
    if (leftMs === 0) throw new NotSettledError(withinMs, pending);
  }
}
