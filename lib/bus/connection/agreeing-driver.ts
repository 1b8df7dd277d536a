import { randomBytes } from 'node:crypto';
import type { DriverCapabilities } from '../../driver/capabilities.js';
import type { Delivery } from '../../driver/delivery.js';
import type {
  BufferLimit,
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../../driver/driver.js';
import { type DriverStatusListener, DriverStatusListeners } from '../../driver/driver-status.js';
import {
  isSameUse,
  offersTopicAgreements,
  type TopicAgreements,
  type TopicDissent,
  type TopicUse,
} from '../../driver/topic-agreements.js';
import type { TopicConflictError } from '../../errors/bus.errors.js';
import type { DiscoBusError } from '../../errors/disco-bus-error.js';
import { DriverError } from '../../errors/driver.errors.js';
import { PublishTimeoutError } from '../../errors/publish.errors.js';
import { isOwnTopic } from '../../message/topic.js';
import { isTopicPattern } from '../../message/topic-pattern.js';
import { type Clock, type ClockTimer, sleep, unref } from '../../timing/clock.js';
import { Deadlines } from '../../timing/deadlines.js';
import { conflict, HOLD_MS, type KnownTopic, KnownTopics, RENEW_MS } from './known-topics.js';
import { shortened, WaitingCalls } from './waiting-calls.js';

/** Topics that are published only are held up to so many; of further ones it is asked whether anybody contradicts. */
const HELD_TOPICS = 1_000;
/** A server that will not answer is asked again after so long. */
const UNABLE_MS = 60_000;
/** Closing may take so much longer to say that the topics are free. */
const RELEASE_MS = 500;

/** A question that is not answered yet, and the publishes that wait for the answer. */
interface Question {
  readonly calls: WaitingCalls;
  /** Resolves with what contradicts, if anything. */
  readonly answer: Promise<TopicConflictError | undefined>;
}

/**
 * A driver whose topics are each used in one way only, by all that share its server: before a topic is first published or
 * read, it asks whether anybody uses it otherwise, and refuses with TopicConflictError where somebody does. Patterns read the
 * topics of their own guarantee, and the bus's own topics are left alone. A driver that cannot be asked, or whose server will
 * not answer, told once as an `error`, is used as it is.
 */
export class AgreeingDriver implements DiscoDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  readonly bufferLimit: BufferLimit | undefined;
  private readonly server: TopicAgreements | undefined;
  private readonly by: string;
  private readonly known = new KnownTopics();
  private readonly questions = new Map<string, Question>();
  private readonly deadlines: Deadlines;
  private readonly listeners = new DriverStatusListeners();
  private unableUntilMs = 0;
  private timer: ClockTimer;

  constructor(
    private readonly inner: DiscoDriver,
    service: string,
    private readonly clock: Clock,
  ) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    this.bufferLimit = inner.bufferLimit;
    this.server = offersTopicAgreements(inner) ? inner : undefined;
    this.by = `service "${service}" (${randomBytes(4).toString('hex')})`;
    this.deadlines = new Deadlines(clock);
  }

  connect(context?: DriverContext): Promise<void> {
    return this.inner.connect(context);
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    const known = this.known.get(topic);
    if (known !== undefined && isSameUse(known.use, options)) {
      const nowMs = this.clock.monotonic();
      if (nowMs < known.renewMs) return this.inner.publish(topic, frame, options);
      if (nowMs < known.untilMs) {
        known.renewMs = known.untilMs;
        this.ask(topic, known.use);
        return this.inner.publish(topic, frame, options);
      }
    }
    if (!this.asks(topic)) return this.inner.publish(topic, frame, options);
    const { timeoutMs, signal } = options;
    const stay = { timeoutMs, signal, late: () => new PublishTimeoutError(topic, timeoutMs) };
    return this.ask(topic, useOf(options)).calls.wait(stay, (waitedMs) =>
      this.inner.publish(topic, frame, shortened(options, waitedMs)),
    );
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    if (isTopicPattern(topicOrPattern) || !this.asks(topicOrPattern)) {
      return this.inner.subscribe(topicOrPattern, options, onDelivery);
    }
    const use = useOf(options);
    const contradiction = await this.ask(topicOrPattern, use, true).answer;
    if (contradiction) throw contradiction;
    const known = this.known.join(topicOrPattern, use);
    this.timer ??= this.renewLater();
    try {
      const inner = await this.inner.subscribe(topicOrPattern, options, onDelivery);
      return this.leaving(inner, topicOrPattern, known);
    } catch (error) {
      this.leave(topicOrPattern, known);
      throw error;
    }
  }

  async close(graceMs?: number): Promise<void> {
    this.clock.clearTimeout(this.timer);
    const topics = this.known.names;
    this.known.clear();
    const sinceMs = this.clock.monotonic();
    const mostMs = Math.min(RELEASE_MS, graceMs ?? RELEASE_MS);
    if (topics.length > 0) await this.release(topics, mostMs);
    const leftMs = graceMs && Math.max(0, graceMs - (this.clock.monotonic() - sinceMs));
    return this.inner.close(leftMs);
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.listeners.addAround(this.inner, listener);
  }

  private asks(topic: string): boolean {
    return this.server !== undefined && !isOwnTopic(topic) && this.clock.monotonic() >= this.unableUntilMs;
  }

  /** Asks once at a time; whoever comes meanwhile waits for the same answer. */
  private ask(topic: string, use: TopicUse, reads = false): Question {
    const name = questionOf(topic, use);
    const present = this.questions.get(name);
    if (present) return present;
    const calls = new WaitingCalls(this.clock, this.deadlines);
    const question = { calls, answer: this.answer(calls, topic, use, reads) };
    this.questions.set(name, question);
    return question;
  }

  private async answer(
    calls: WaitingCalls,
    topic: string,
    use: TopicUse,
    reads: boolean,
  ): Promise<TopicConflictError | undefined> {
    const holdMs = reads || this.known.size < HELD_TOPICS || this.known.has(topic) ? HOLD_MS : 0;
    const askedMs = this.clock.monotonic();
    let dissent: TopicDissent | undefined;
    let failure: DiscoBusError | undefined;
    try {
      dissent = await this.server?.agreeOn(topic, use, this.by, holdMs);
    } catch (error) {
      failure = error as DiscoBusError;
    }
    // Nothing is awaited from here on: what comes once the topic is known must not overtake what waits.
    this.questions.delete(questionOf(topic, use));
    if (dissent) {
      this.known.delete(topic);
      const contradiction = conflict(topic, use, this.by, dissent);
      calls.turnAllAway(contradiction);
      return contradiction;
    }
    if (failure) this.unable(failure);
    else this.known.remember(topic, use, askedMs, !reads);
    calls.letAllIn();
    return undefined;
  }

  private leaving(inner: DriverSubscription, topic: string, known: KnownTopic): DriverSubscription {
    let left = false;
    return {
      pause: () => inner.pause(),
      resume: () => inner.resume(),
      close: async () => {
        await inner.close();
        if (!left) this.leave(topic, known);
        left = true;
      },
    };
  }

  private leave(topic: string, known: KnownTopic): void {
    if (this.known.leave(topic, known)) this.server?.releaseTopics([topic], this.by).catch(() => undefined);
  }

  private async release(topics: readonly string[], mostMs: number): Promise<void> {
    const patience = new AbortController();
    const released = this.server?.releaseTopics(topics, this.by).catch(() => undefined);
    await Promise.race([released, sleep(mostMs, this.clock, patience.signal)]);
    patience.abort();
  }

  private renewLater(): ClockTimer {
    const renew = () => {
      this.timer = this.renewLater();
      for (const [topic, { use }] of this.known.read()) void this.renew(topic, use);
    };
    return unref(this.clock.setTimeout(renew, RENEW_MS));
  }

  /** A subscription that others contradict by now, as after a long outage, goes on and says so. */
  private async renew(topic: string, use: TopicUse): Promise<void> {
    const error = await this.ask(topic, use, true).answer;
    if (error) this.listeners.emit({ type: 'error', error });
  }

  private unable(error: DiscoBusError): void {
    if (['DISCO_NOT_CONNECTED', 'DISCO_CLOSED'].includes(error.code)) return;
    const first = this.unableUntilMs === 0;
    this.unableUntilMs = this.clock.monotonic() + UNABLE_MS;
    if (!first) return;
    const text = `Whether others use the same topics otherwise cannot be told: ${error.message}`;
    this.listeners.emit({ type: 'error', error: new DriverError(text, { cause: error }) });
  }
}

function questionOf(topic: string, { delivery, bare }: TopicUse): string {
  return `${delivery} ${bare === true} ${topic}`;
}

function useOf({ delivery, bare }: TopicUse): TopicUse {
  return { delivery, bare: bare === true };
}
