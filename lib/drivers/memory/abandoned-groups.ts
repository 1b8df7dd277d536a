import type { ConsumerGroup } from './consumer-group.js';
import type { LogSettings } from './log-settings.js';

/** How often groups that nobody reads are looked for, unless they are to be told or removed sooner. */
const LOOK_MS = 30_000;

/** Groups of one topic that nobody reads any more are told once each, and removed where that is wished. */
export class AbandonedGroups {
  /** When they are to be looked for again, on the monotonic clock. */
  lookMs = 0;
  private readonly told = new Set<string>();

  constructor(
    private readonly topic: string,
    private readonly settings: LogSettings,
  ) {}

  look(nowMs: number, groups: ReadonlyMap<string, ConsumerGroup>, remove: (group: string) => boolean): void {
    const { abandoned, clock, status } = this.settings;
    const { warnAfterMs, removeAfterMs = Number.POSITIVE_INFINITY } = abandoned;
    this.lookMs = nowMs + Math.min(LOOK_MS, warnAfterMs, removeAfterMs);
    for (const [group, { size, leftMs: since, waiting: messages }] of groups) {
      const aloneMs = clock.now() - since;
      if (size > 0 || aloneMs < warnAfterMs) continue;
      const removed = aloneMs >= removeAfterMs && remove(group);
      if (!removed && this.told.has(group)) continue;
      this.told.add(group);
      status({ type: 'abandoned', topic: this.topic, group, messages, since, removed });
    }
  }

  forget(group: string): void {
    this.told.delete(group);
  }
}
