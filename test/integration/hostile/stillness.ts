/** Measures for how long the event loop stands still. */
export class Stillness {
  private lastMs = performance.now();
  private longestMs = 0;
  private readonly timer = setInterval(() => this.look(), 2);

  /** Ends it, and returns the longest time without a turn. Milliseconds. */
  end(): number {
    this.look();
    clearInterval(this.timer);
    return this.longestMs;
  }

  private look(): void {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.lastMs);
    this.lastMs = now;
  }
}
