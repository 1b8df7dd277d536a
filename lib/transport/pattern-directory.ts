import type { DiscoBus } from '../bus/disco-bus.js';
import { PATTERN_DIRECTORY } from './pattern-topic.js';

/** Servers that have patterns with wildcards, but none for a topic, say nothing: it is found out by waiting. */
const SILENCE_MS = 250;
/** Topics remembered at a time; beyond that the memory begins again. */
const REMEMBERED = 10_000;

/** Which pattern with wildcards answers a topic that nobody answers by its own name. */
export class PatternDirectory {
  private readonly patterns = new Map<string, string>();

  /** What is remembered of `topic`. */
  known(topic: string): string | undefined {
    return this.patterns.get(topic);
  }

  forget(topic: string): void {
    this.patterns.delete(topic);
  }

  /** Asks all servers; undefined when none of them has one. Never rejects. */
  async find(bus: DiscoBus, topic: string): Promise<string | undefined> {
    try {
      const pattern = await bus.request(PATTERN_DIRECTORY, topic, {
        delivery: 'at-most-once',
        timeout: SILENCE_MS,
      });
      if (typeof pattern !== 'string') return undefined;
      if (this.patterns.size >= REMEMBERED) this.patterns.clear();
      this.patterns.set(topic, pattern);
      return pattern;
    } catch {
      return undefined;
    }
  }
}
