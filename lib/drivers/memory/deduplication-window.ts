/**
 * Remembers ids for a time. Two generations of at most one window each are kept, so that forgetting costs nothing:
 * the older one is dropped whole.
 */
export class DeduplicationWindow {
  private current = new Map<string, Sighting>();
  private previous = new Map<string, Sighting>();
  private currentSinceMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly windowMs: number) {}

  /** The position under which `id` was accepted less than a window before `nowMs`. */
  find(id: string, nowMs: number): string | undefined {
    const seen = this.current.get(id) ?? this.previous.get(id);
    return seen !== undefined && nowMs < seen.untilMs ? seen.position : undefined;
  }

  /** Remembers that `id` was accepted at `nowMs`. */
  add(id: string, position: string, nowMs: number): void {
    if (nowMs - this.currentSinceMs >= this.windowMs) {
      this.previous = this.current;
      this.current = new Map();
      this.currentSinceMs = nowMs;
    }
    this.current.set(id, { position, untilMs: nowMs + this.windowMs });
  }
}

interface Sighting {
  readonly position: string;
  readonly untilMs: number;
}
