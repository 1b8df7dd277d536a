import { type DiscoDriver, type DriverPublishOptions, type DriverReceipt } from '../driver/driver.js';
import { assertOptions } from '../errors/assert-options.js';
import { DriverError } from '../errors/driver.errors.js';
import { aClock, aNumber, type OptionKinds } from '../errors/option-kinds.js';
import { PublishOutcomeUnknownError, PublishTimeoutError } from '../errors/publish.errors.js';
import { type Clock, sleep, systemClock } from '../timing/clock.js';
import { DriverDecorator } from './driver-decorator.js';
import { seededRandom } from './seeded-random.js';

/** How often each trouble comes, from 0 (never) to 1 (every time). One publish has at most one of the first four. */
export interface ChaosRules {
  /** Rejects with a retryable DriverError; nothing is sent. @default 0 */
  fail?: number;
  /** Sends, and rejects with PublishOutcomeUnknownError: the confirmation was lost. @default 0 */
  unconfirmed?: number;
  /** Resolves and sends nothing. Frames that are kept (at least once) are never dropped. @default 0 */
  drop?: number;
  /** Sends twice. @default 0 */
  duplicate?: number;
  /** Sends late, and so out of order, within the time of the publish. @default 0 */
  delay?: number;
  /** The longest delay, milliseconds. @default 50 */
  maxDelayMs?: number;
  /** The same seed gives the same troubles for the same publishes. @default 1 */
  seed?: number;
  /** The source of time for delays. @default systemClock */
  clock?: Clock;
}

const ruleKinds: OptionKinds<ChaosRules> = {
  fail: aNumber,
  unconfirmed: aNumber,
  drop: aNumber,
  duplicate: aNumber,
  delay: aNumber,
  maxDelayMs: aNumber,
  seed: aNumber,
  clock: aClock,
};

/** How many publishes had each trouble: a test asserts with it that there was any. */
export type ChaosCounts = Record<'failed' | 'unconfirmed' | 'dropped' | 'duplicated' | 'delayed', number>;

/** Puts troubles of a network and a server into the publishes of another driver, by a seeded rule. */
export class ChaosDriver extends DriverDecorator {
  readonly counts: ChaosCounts = { failed: 0, unconfirmed: 0, dropped: 0, duplicated: 0, delayed: 0 };
  private readonly rules: Required<ChaosRules>;
  private readonly random: () => number;

  constructor(inner: DiscoDriver, rules: ChaosRules = {}) {
    super(inner);
    assertOptions('ChaosDriver', rules, ruleKinds);
    const none = { fail: 0, unconfirmed: 0, drop: 0, duplicate: 0, delay: 0 };
    this.rules = { ...none, maxDelayMs: 50, seed: 1, clock: systemClock, ...rules };
    this.random = seededRandom(this.rules.seed);
  }

  override async publish(
    topic: string,
    frame: Uint8Array,
    options: DriverPublishOptions,
  ): Promise<DriverReceipt> {
    const { delay, maxDelayMs, clock } = this.rules;
    const { timeoutMs, signal } = options;
    const trouble = this.random();
    if (this.random() >= delay) return this.send(trouble, topic, frame, options);
    this.counts.delayed++;
    const delayMs = this.random() * maxDelayMs;
    await sleep(Math.min(delayMs, timeoutMs), clock, signal);
    if (delayMs >= timeoutMs) throw new PublishTimeoutError(topic, timeoutMs);
    return this.send(trouble, topic, frame, { ...options, timeoutMs: Math.ceil(timeoutMs - delayMs) });
  }

  /** `trouble`, from 0 to 1, falls into the share of one of the rules or of none. */
  private async send(
    trouble: number,
    topic: string,
    frame: Uint8Array,
    options: DriverPublishOptions,
  ): Promise<DriverReceipt> {
    const { fail, unconfirmed, duplicate } = this.rules;
    const drop = options.delivery === 'at-most-once' ? this.rules.drop : 0;
    if (trouble < fail) {
      this.counts.failed++;
      throw new DriverError('Failed by the chaos driver');
    }
    if (trouble < fail + drop) {
      this.counts.dropped++;
      return {};
    }
    const receipt = await this.inner.publish(topic, frame, options);
    if (trouble < fail + drop + unconfirmed) {
      this.counts.unconfirmed++;
      throw new PublishOutcomeUnknownError(topic);
    }
    if (trouble < fail + drop + unconfirmed + duplicate) {
      this.counts.duplicated++;
      await this.inner.publish(topic, frame, options);
    }
    return receipt;
  }
}
