import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type DeliveryGuarantee, type GuaranteeCapabilities } from '../../driver/capabilities.js';
import {
  type DiscoDriver,
  type DriverPublishOptions,
  type DriverReceipt,
  type DriverSubscribeOptions,
} from '../../driver/driver.js';
import { type DriverHarness } from './driver-harness.js';
import { acknowledge, Inbox, type InboxHandler } from './inbox.js';

/** How a stage subscribes, where it differs from: its own group, 100 in flight, from the beginning, acknowledging. */
export interface InboxOptions extends Partial<DriverSubscribeOptions> {
  readonly handler?: InboxHandler;
}

/** A manual clock is moved on by this, and by more and more while nothing comes. */
const stepMs = 5;
let stages = 0;
const run = randomBytes(4).toString('hex');

/** Where one case plays: makes drivers and inboxes, waits, and clears everything away. */
export class DriverStage {
  /** A name of this case's own, for topics and groups. */
  readonly name = `contract.${run}.${++stages}`;
  private readonly drivers: DiscoDriver[] = [];
  private published = 0;
  private arrival: (() => void) | undefined;

  constructor(
    readonly harness: DriverHarness,
    readonly guarantee: DeliveryGuarantee,
    readonly can: GuaranteeCapabilities,
  ) {}

  get durable(): boolean {
    return this.guarantee === 'at-least-once';
  }

  /** The case's own topic, or one below it. */
  topic(below?: string): string {
    return below === undefined ? this.name : `${this.name}.${below}`;
  }

  /** The parameter for the long or the short form of the suite. */
  size(full: number, short: number): number {
    return (this.harness.full ?? process.env.FULL === '1') ? full : short;
  }

  /** A driver that is not connected. */
  async newDriver(): Promise<DiscoDriver> {
    const driver = await this.harness.createDriver();
    this.drivers.push(driver);
    return driver;
  }

  /** A connected driver. */
  async driver(): Promise<DiscoDriver> {
    const driver = await this.newDriver();
    await driver.connect(this.harness.context);
    return driver;
  }

  /** One driver to publish and one to subscribe; the same where drivers do not reach each other. */
  async pair(): Promise<{ publisher: DiscoDriver; subscriber: DiscoDriver }> {
    const publisher = await this.driver();
    return { publisher, subscriber: this.harness.brokerShared === false ? publisher : await this.driver() };
  }

  publish(
    driver: DiscoDriver,
    topic: string,
    body: string | Uint8Array,
    options: Partial<DriverPublishOptions> = {},
  ): Promise<DriverReceipt> {
    const frame = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    const id = `${this.name}-${this.published++}`;
    return driver.publish(topic, frame, { delivery: this.guarantee, id, timeoutMs: 10_000, ...options });
  }

  /** Publishes `texts` one right after the other and resolves when all are accepted. */
  async publishAll(driver: DiscoDriver, topic: string, texts: readonly string[]): Promise<void> {
    await Promise.all(texts.map((text) => this.publish(driver, topic, text)));
  }

  async inbox(driver: DiscoDriver, topicOrPattern: string, options: InboxOptions = {}): Promise<Inbox> {
    const { handler = acknowledge, ...others } = options;
    const inbox = new Inbox(handler, () => this.arrival?.());
    inbox.subscription = await driver.subscribe(
      topicOrPattern,
      {
        delivery: this.guarantee,
        group: 'contract',
        maxInFlight: 100,
        startFrom: 'beginning',
        ...others,
      },
      inbox.receive,
    );
    return inbox;
  }

  /** Resolves when `condition` holds; looks again at every arrival. Fails with `what` after the deadline. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + this.deadlineMs;
    const begun = this.now();
    while (!condition()) {
      const waitedMs = this.now() - begun;
      const late = performance.now() > deadline || waitedMs > Math.max(this.deadlineMs, 60_000);
      assert.ok(!late, `not within the deadline: ${what}`);
      await (this.harness.clock?.advance(Math.max(stepMs, waitedMs / 10)) ?? this.nextArrival(deadline));
    }
  }

  /** Resolves when the inbox holds `count` deliveries. */
  received(inbox: Inbox, count: number): Promise<void> {
    return this.until(`${count} deliveries`, () => inbox.size >= count).catch((error: Error) => {
      throw new Error(`${error.message}; ${inbox.size} have arrived`, { cause: error });
    });
  }

  /** Lets time pass in which nothing should happen. */
  async quiet(ms = this.harness.quietMs ?? 50): Promise<void> {
    if (this.harness.clock) return this.harness.clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Milliseconds on the drivers' clock; only differences mean anything. */
  now(): number {
    return this.harness.clock?.monotonic() ?? performance.now();
  }

  /** Closes all drivers. */
  async clear(): Promise<void> {
    const outcomes = await Promise.allSettled(this.drivers.map((driver) => driver.close()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private get deadlineMs(): number {
    return this.harness.deadlineMs ?? 10_000;
  }

  /** Resolves at the next arrival, or at the deadline. Conditions may also change otherwise, so it looks up now and then. */
  private nextArrival(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.arrival = undefined;
        resolve();
      };
      const timer = setTimeout(end, Math.min(100, Math.max(1, deadline - performance.now() + 1)));
      this.arrival = end;
    });
  }
}
