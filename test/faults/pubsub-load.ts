import type { DriverReceipt } from '../../lib/driver/driver.js';
import type { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { type Inbox, once } from '../support/redis-harness.js';
import { pause } from '../support/waiting.js';

/** FULL=1 runs the sizes of the nightly build, otherwise a tenth of them. */
export const SCALE = process.env.FULL === '1' ? 1 : 0.1;

/** The part of `full` that this run does, at least `least`. */
export const scaled = (full: number, least = 1) => Math.max(least, Math.round(full * SCALE));

/** What became of every publish of a load, by the number that its frame begins with. */
export class Ledger {
  readonly accepted = new Set<string>();
  readonly unknown = new Set<string>();
  /** Rejected as not sent: must never arrive. */
  readonly refused = new Map<string, string>();
  private number = 0;

  get sent(): number {
    return this.accepted.size + this.unknown.size + this.refused.size;
  }

  /** Publishes one frame of `size` bytes and records the outcome; never rejects. */
  async publish(driver: RedisDriver, topic: string, size: number, timeoutMs = 5_000): Promise<void> {
    const text = String(++this.number);
    await driver.publish(topic, Buffer.from(text.padEnd(size, '.')), once({ timeoutMs })).then(
      (_receipt: DriverReceipt) => this.accepted.add(text),
      (error: { code?: string }) => {
        if (error.code === 'DISCO_PUBLISH_OUTCOME_UNKNOWN') this.unknown.add(text);
        else this.refused.set(text, error.code ?? String(error));
      },
    );
  }

  /** Accepted but not received, received more than once, and received although rejected as not sent. */
  compare(inbox: Inbox): { lost: number; duplicated: number; ghosts: number } {
    const texts = inbox.texts.map((text) => text.replace(/\.+$/, ''));
    const received = new Set(texts);
    const lost = [...this.accepted].filter((text) => !received.has(text)).length;
    const ghosts = [...this.refused.keys()].filter((text) => received.has(text)).length;
    return { lost, duplicated: texts.length - received.size, ghosts };
  }
}

/** Resolves when `inbox` has got nothing new for `quietMs`. */
export async function quiet(inbox: Inbox, quietMs = 200): Promise<void> {
  for (let seen = -1; seen !== inbox.deliveries.length; ) {
    seen = inbox.deliveries.length;
    await pause(quietMs);
  }
}
