import { type DeadLetterStore, offersDeadLetters } from '../../lib/driver/dead-letters.js';
import { type DeadLetterReason, type Delivery, type DeliveryPart } from '../../lib/driver/delivery.js';
import {
  type DiscoDriver,
  type DriverContext,
  type DriverPublishOptions,
  type DriverReceipt,
  type DriverSubscribeOptions,
  type DriverSubscription,
} from '../../lib/driver/driver.js';
import { type DriverStatus, type DriverStatusListener } from '../../lib/driver/driver-status.js';
import {
  type InspectionProvider,
  offersInspection,
  type TopicInspection,
} from '../../lib/driver/inspection.js';
import { offersSteering, type Steering } from '../../lib/driver/steering.js';
import { offersTopicAgreements, type TopicAgreements } from '../../lib/driver/topic-agreements.js';
import { offersWatchTurns, type WatchTurns } from '../../lib/driver/watch-turns.js';
import { DriverDecorator } from '../../lib/testing/driver-decorator.js';

/** Where a good driver can be spoiled. Each place is left as it is unless it is given. */
export interface Defect {
  connect?(inner: DiscoDriver, context?: DriverContext): Promise<void>;
  publish?(
    inner: DiscoDriver,
    topic: string,
    frame: Uint8Array,
    options: DriverPublishOptions,
  ): Promise<DriverReceipt>;
  subscribeTo?(topicOrPattern: string): string;
  subscribeWith?(options: DriverSubscribeOptions): Partial<DriverSubscribeOptions>;
  /** Hands `delivery` over by calling `hand`: not, once or several times. */
  deliver?(delivery: Delivery, hand: (delivery: Delivery) => void, topicOrPattern: string): void;
  subscribed?(subscription: DriverSubscription, all: readonly DriverSubscription[]): DriverSubscription;
  close?(inner: DiscoDriver): Promise<void>;
  ping?(inner: DiscoDriver): Promise<void>;
  capabilities?: DiscoDriver['capabilities'];
  /** The broker is restarted. */
  restart?(): void;
  /** The driver's process dies; without it the driver is closed. */
  kill?(): Promise<void>;
  /** The server was not there when the driver connected, and is there again; without it the driver notices. */
  heal?(): Promise<void>;
  /** Connects while the server is not there; without it that fails. */
  attempt?(): Promise<void>;
  agreeOn?(
    inner: TopicAgreements,
    ...given: Parameters<TopicAgreements['agreeOn']>
  ): ReturnType<TopicAgreements['agreeOn']>;
  releaseTopics?(
    inner: TopicAgreements,
    ...given: Parameters<TopicAgreements['releaseTopics']>
  ): Promise<void>;
  /** What it tells of a topic. */
  inspected?(inspection: TopicInspection): TopicInspection;
  /** Which topics it lists. */
  listed?(topics: string[]): string[];
  /** What it does otherwise when it chooses who watches. */
  watching?(inner: WatchTurns): Partial<WatchTurns>;
  /** What it does otherwise when it is steered. */
  steering?(inner: Steering): Partial<Steering>;
  /** What it does otherwise with dead letters. */
  letters?(inner: DeadLetterStore): Partial<DeadLetterStore>;
  /** What it tells instead of a status. */
  tell?(status: DriverStatus): readonly DriverStatus[];
  /** Tells no status. */
  mute?: boolean;
}

/** A driver with one defect. */
export class BrokenDriver extends DriverDecorator {
  private readonly subscriptions: DriverSubscription[] = [];

  constructor(
    inner: DiscoDriver,
    private readonly defect: Defect,
  ) {
    super(
      miswatching(misfiling(missteering(misleading(spoilt(inner, defect), defect), defect), defect), defect),
    );
  }

  override get capabilities() {
    return this.defect.capabilities ?? this.inner.capabilities;
  }

  override connect(context?: DriverContext): Promise<void> {
    return this.defect.connect?.(this.inner, context) ?? this.inner.connect(context);
  }

  override publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    const { publish } = this.defect;
    return publish ? publish(this.inner, topic, frame, options) : this.inner.publish(topic, frame, options);
  }

  override async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    const { subscribeTo, subscribeWith, deliver, subscribed } = this.defect;
    const subscription = await this.inner.subscribe(
      subscribeTo?.(topicOrPattern) ?? topicOrPattern,
      { ...options, ...subscribeWith?.(options) },
      deliver ? (delivery) => deliver(delivery, onDelivery, topicOrPattern) : onDelivery,
    );
    this.subscriptions.push(subscription);
    return subscribed?.(subscription, this.subscriptions) ?? subscription;
  }

  override close(graceMs?: number): Promise<void> {
    return this.defect.close?.(this.inner) ?? this.inner.close(graceMs);
  }

  override onStatus(listener: DriverStatusListener): () => void {
    const { mute, tell } = this.defect;
    if (mute) return () => undefined;
    return this.inner.onStatus(tell ? (status) => tell(status).forEach(listener) : listener);
  }

  override ping(): Promise<void> {
    return this.defect.ping?.(this.inner) ?? this.inner.ping();
  }
}

/** `inner`, with how it chooses who watches spoilt. */
function miswatching(inner: DiscoDriver, { watching }: Defect): DiscoDriver {
  if (!watching || !offersWatchTurns(inner)) return inner;
  return Object.assign(new DriverDecorator(inner), watching(inner));
}

/** `inner`, with what it tells of its topics spoilt. */
function misleading(inner: DiscoDriver, { inspected, listed }: Defect): DiscoDriver {
  if (!offersInspection(inner) || !(inspected ?? listed)) return inner;
  const told = (topic: TopicInspection) => inspected?.(topic) ?? topic;
  const inspection: InspectionProvider = {
    listTopics: async (range) => {
      const topics = await inner.listTopics(range);
      return listed?.(topics) ?? topics;
    },
    inspectTopic: async (...given) => {
      const found = await inner.inspectTopic(...given);
      return found && told(found);
    },
    inspectTopics: async (range) => (await inner.inspectTopics(range)).map(told),
  };
  return Object.assign(new DriverDecorator(inner), inspection);
}

/** `inner`, with its dead letters spoilt. */
function misfiling(inner: DiscoDriver, { letters }: Defect): DiscoDriver {
  if (!offersDeadLetters(inner) || !letters) return inner;
  const deadLetters = async (topic: string, group: string): Promise<DeadLetterStore> => {
    const good = await inner.deadLetters(topic, group);
    const bad = letters(good) as Record<string | symbol, unknown>;
    return new Proxy(good, {
      get: (target, name) => bad[name] ?? (Reflect.get(target, name) as () => unknown).bind(target),
    });
  };
  return Object.assign(new DriverDecorator(inner), { deadLetters });
}

/** `inner`, with its steering spoilt. */
function missteering(inner: DiscoDriver, { steering }: Defect): DiscoDriver {
  if (!offersSteering(inner) || !steering) return inner;
  const spoiltSteering = (): Steering => {
    const good = inner.steering();
    const bad = steering(good) as Record<string | symbol, unknown>;
    return new Proxy(good, {
      get: (target, name) => bad[name] ?? (Reflect.get(target, name) as () => unknown).bind(target),
    });
  };
  return Object.assign(new DriverDecorator(inner), { steering: spoiltSteering });
}

/** `inner`, with its agreements spoilt. */
function spoilt(inner: DiscoDriver, { agreeOn, releaseTopics }: Defect): DiscoDriver {
  if (!offersTopicAgreements(inner) || !(agreeOn ?? releaseTopics)) return inner;
  const decorated = new DriverDecorator(inner);
  return Object.assign(decorated, {
    ...(agreeOn && { agreeOn: (...given: Parameters<typeof inner.agreeOn>) => agreeOn(inner, ...given) }),
    ...(releaseTopics && {
      releaseTopics: (...given: Parameters<typeof inner.releaseTopics>) => releaseTopics(inner, ...given),
    }),
  });
}

/** `delivery`, where some of its members are others. */
export function altered(delivery: Delivery, changes: Partial<Delivery>): Delivery {
  const same: Delivery = {
    topic: delivery.topic,
    frame: delivery.frame,
    attempt: delivery.attempt,
    position: delivery.position,
    ageMs: delivery.ageMs,
    settledParts: delivery.settledParts,
    begin: (part?: DeliveryPart) => delivery.begin?.(part),
    ack: (part?: DeliveryPart) => delivery.ack(part),
    retry: (delayMs: number, part?: DeliveryPart) => delivery.retry(delayMs, part),
    deadLetter: (reason: DeadLetterReason, part?: DeliveryPart) => delivery.deadLetter(reason, part),
  };
  return { ...same, ...changes };
}
