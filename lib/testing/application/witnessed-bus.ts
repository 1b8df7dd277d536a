import type { BusStatus } from '../../bus/bus-status.js';
import type { PublishOptions, PublishReceipt } from '../../bus/options/bus-options.js';
import type { BusWitness, RequestWitness, WitnessedSubscription } from '../../bus/options/witness.js';
import { testAccess } from '../../bus/test-access.js';
import type { DeadLettered } from '../../driver/driver-status.js';
import type { Headers } from '../../message/headers.js';
import { isOwnTopic } from '../../message/topic.js';
import { topicMatcher } from '../../message/topic-pattern.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { Middleware } from '../../middleware/middleware.js';
import type { DiscoBusService } from '../../nest/disco-bus.service.js';

/** A message that the application has published, and that was accepted. */
export interface PublishedMessage<T = any> {
  readonly bus: string;
  readonly topic: string;
  readonly payload: T;
  readonly options: PublishOptions;
  readonly receipt: PublishReceipt;
}

/** A request that the application has made. */
export interface RequestedMessage<T = any> {
  readonly bus: string;
  /** Of a request by Nest's client its pattern's topic. */
  readonly topic: string;
  readonly payload: T;
  /** What has come so far. */
  readonly replies: readonly unknown[];
  /** What it failed with; undefined where it did not. */
  readonly error?: unknown;
}

/** An attempt of a handler, once it has ended. */
export interface HandledMessage<T = any> {
  readonly bus: string;
  /** `Class.method` of a decorated handler. */
  readonly handler: string;
  readonly topic: string;
  /** The consumer group. */
  readonly group: string;
  readonly messageId: string;
  /** As it travelled. */
  readonly payload: T;
  readonly headers: Headers;
  readonly attempt: number;
  /** What the attempt failed with; undefined where it did not. */
  readonly error?: unknown;
}

/** Messages that were given up, and kept. */
export interface DeadLetteredInTest extends Omit<DeadLettered, 'type'> {
  readonly bus: string;
}

/** A failure that is to happen. */
interface Planned {
  readonly matches: (topic: string) => boolean;
  readonly error: Error;
  left: number;
}

/** A bus of the application under test, and what it has done since the kit was attached. */
export class WitnessedBus implements BusWitness {
  readonly published: PublishedMessage[] = [];
  readonly handled: HandledMessage[] = [];
  readonly failed: HandledMessage[] = [];
  readonly requested: RequestedMessage[] = [];
  readonly deadLettered: DeadLetteredInTest[] = [];
  /** Goes up with everything that happens: two looks that find the same number have seen nothing between them. */
  activity = 0;
  /** Publishes that have not settled, by topic. */
  readonly publishing = new Map<string, number>();
  /** Attempts that run, by handler. */
  readonly running = new Map<string, number>();
  private readonly planned: Planned[] = [];

  constructor(
    readonly name: string,
    readonly service: DiscoBusService,
  ) {
    testAccess(service.bus).callWitness(this);
    service.bus.onStatus((status) => this.hear(status));
  }

  /** The next `times` attempts of messages of these topics fail with `error`, before their handlers are called. */
  plan(topicOrPattern: string, error: Error, times: number): void {
    this.planned.push({ matches: topicMatcher(topicOrPattern), error, left: times });
  }

  publishes(topic: string, payload: unknown, options: PublishOptions): (receipt?: PublishReceipt) => void {
    const ended = this.counted(this.publishing, topic);
    return (receipt) => {
      ended();
      if (receipt) this.published.push({ bus: this.name, topic, payload, options, receipt });
    };
  }

  requests(topic: string, payload: unknown): RequestWitness {
    const request: { -readonly [Key in keyof RequestedMessage]: RequestedMessage[Key] } & {
      replies: unknown[];
    } = { bus: this.name, topic, payload, replies: [] };
    this.activity++;
    this.requested.push(request);
    return {
      replied: (reply) => {
        this.activity++;
        request.replies.push(reply);
      },
      failed: (error) => {
        this.activity++;
        request.error = error;
      },
    };
  }

  around({ name, own }: WitnessedSubscription): Middleware {
    return (next) => async (context) => {
      const ended = this.counted(this.running, name);
      try {
        this.failAsPlanned(context.topic);
        const result = await next(context);
        if (!own && !isOwnTopic(context.topic)) this.handled.push(this.attempt(name, context));
        return result;
      } catch (error) {
        this.failed.push({ ...this.attempt(name, context), error });
        throw error;
      } finally {
        ended();
      }
    };
  }

  private hear(status: BusStatus): void {
    this.activity++;
    if (status.type !== 'dead-letter') return;
    const { type, ...letter } = status;
    this.deadLettered.push({ bus: this.name, ...letter });
  }

  private attempt(handler: string, { message, group, attempt }: DiscoMessageContext): HandledMessage {
    const { topic, id: messageId, payload, headers } = message;
    return { bus: this.name, handler, topic, group, messageId, payload, headers, attempt };
  }

  private failAsPlanned(topic: string): void {
    const planned = this.planned.find(({ matches, left }) => left > 0 && matches(topic));
    if (planned === undefined) return;
    planned.left--;
    throw planned.error;
  }

  /** Counts one more of `what`; the result counts it off. */
  private counted(counts: Map<string, number>, what: string): () => void {
    this.activity++;
    counts.set(what, (counts.get(what) ?? 0) + 1);
    return () => {
      this.activity++;
      const left = (counts.get(what) ?? 1) - 1;
      if (left > 0) counts.set(what, left);
      else counts.delete(what);
    };
  }
}
