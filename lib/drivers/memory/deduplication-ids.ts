import { Queue } from './queue.js';

/** The ids of one topic. */
export interface TopicIds {
  /** The position under which `id` was accepted less than a window before `nowMs`, while that is remembered. */
  find(id: string, nowMs: number): string | undefined;
  /**
   * Remembers that `id` was accepted at `nowMs`; it must not be remembered already. True when the oldest id was forgotten
   * before its time for it, at most once in a window.
   */
  add(id: string, position: string, nowMs: number): boolean;
}

/** The ids that a broker remembers of all its topics: each for one window, and no more than `maxIds` at a time. */
export class DeduplicationIds {
  /** The oldest first, which are also the first to expire. */
  private readonly sightings = new Queue<Sighting>();
  private toldMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly windowMs: number,
    readonly maxIds: number,
  ) {}

  /** How many are remembered. */
  get size(): number {
    return this.sightings.size;
  }

  /** The ids of one more topic. */
  topic(): TopicIds {
    const ids = new Map<string, Sighting>();
    return {
      find: (id, nowMs) => {
        const seen = ids.get(id);
        return seen !== undefined && nowMs < seen.untilMs ? seen.position : undefined;
      },
      add: (id, position, nowMs) => this.add({ ids, id, position, untilMs: nowMs + this.windowMs }, nowMs),
    };
  }

  private add(sighting: Sighting, nowMs: number): boolean {
    for (let oldest = this.sightings.first; oldest && oldest.untilMs <= nowMs; oldest = this.sightings.first)
      this.forgetOldest();
    const isFull = this.sightings.size >= this.maxIds;
    if (isFull) this.forgetOldest();
    this.sightings.push(sighting);
    sighting.ids.set(sighting.id, sighting);
    if (!isFull || nowMs - this.toldMs < this.windowMs) return false;
    this.toldMs = nowMs;
    return true;
  }

  private forgetOldest(): void {
    const oldest = this.sightings.shift();
    oldest?.ids.delete(oldest.id);
  }
}

interface Sighting {
  /** Those of its topic. */
  readonly ids: Map<string, Sighting>;
  readonly id: string;
  readonly position: string;
  readonly untilMs: number;
}
