/** Work that is done again and again, never twice at a time, and sooner where that is wished. */
export class RepeatedWork {
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;
  private running = false;
  private again = false;
  private stopped = false;

  /** `work` resolves with when it is to be done again, in milliseconds from then; it never rejects. */
  constructor(private readonly work: () => Promise<number>) {}

  /** Does it within `delayMs`. */
  within(delayMs: number): void {
    if (this.stopped) return;
    const dueMs = performance.now() + delayMs;
    if (this.timer !== undefined && this.dueMs <= dueMs) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    this.timer = setTimeout(() => void this.run(), Math.ceil(delayMs));
    this.timer.unref();
  }

  /** Does it at once again when what is under way has ended. Nothing where nothing is. */
  againAfterThis(): void {
    if (this.running) this.again = true;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    const nextMs = await this.work();
    this.running = false;
    this.within(this.again ? 1 : nextMs);
    this.again = false;
  }
}
