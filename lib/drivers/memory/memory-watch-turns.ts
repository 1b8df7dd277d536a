import type { Clock } from '../../timing/clock.js';

/** Turns that are kept before those that are over are thrown away. */
const SWEPT = 1_000;

/** Who watches what, and until when. */
export class MemoryWatchTurns {
  private readonly turns = new Map<string, { readonly watcher: string; readonly untilMs: number }>();

  constructor(private readonly clock: Clock) {}

  take(what: string, watcher: string, leaseMs: number): number {
    const nowMs = this.clock.monotonic();
    const turn = this.turns.get(what);
    if (turn && turn.watcher !== watcher && turn.untilMs > nowMs) return turn.untilMs - nowMs;
    if (this.turns.size >= SWEPT) this.sweep(nowMs);
    this.turns.set(what, { watcher, untilMs: nowMs + leaseMs });
    return 0;
  }

  leave(what: string, watcher: string): void {
    if (this.turns.get(what)?.watcher === watcher) this.turns.delete(what);
  }

  private sweep(nowMs: number): void {
    for (const [what, { untilMs }] of this.turns) if (untilMs <= nowMs) this.turns.delete(what);
  }
}
