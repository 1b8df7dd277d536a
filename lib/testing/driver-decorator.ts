import { type DriverCapabilities } from '../driver/capabilities.js';
import { type DeadLetterProvider, offersDeadLetters } from '../driver/dead-letters.js';
import { type Delivery } from '../driver/delivery.js';
import {
  type BufferLimit,
  type DiscoDriver,
  type DriverContext,
  type DriverPublishOptions,
  type DriverReceipt,
  type DriverSubscribeOptions,
  type DriverSubscription,
} from '../driver/driver.js';
import { type DriverStatusListener } from '../driver/driver-status.js';
import { type GroupRemoval, offersGroupRemoval } from '../driver/group-removal.js';
import { type InspectionProvider, offersInspection } from '../driver/inspection.js';
import { offersSteering, type SteeringProvider } from '../driver/steering.js';
import { offersTopicAgreements, type TopicAgreements } from '../driver/topic-agreements.js';
import { offersWatchTurns, type WatchTurns } from '../driver/watch-turns.js';

/** A driver that passes everything on to another one. Extend it and override what is to be different. */
export class DriverDecorator implements DiscoDriver {
  /** As the driver within; undefined where that keeps no agreements. */
  readonly agreeOn?: TopicAgreements['agreeOn'];
  /** As the driver within; undefined where that keeps no agreements. */
  readonly releaseTopics?: TopicAgreements['releaseTopics'];

  /** As the driver within; undefined where that lets nobody look at its dead letters. */
  readonly deadLetters?: DeadLetterProvider['deadLetters'];

  /** As the driver within; undefined where its groups cannot be removed. */
  readonly removeGroup?: GroupRemoval['removeGroup'];
  /** As the driver within; undefined where that cannot tell what it keeps. */
  readonly listTopics?: InspectionProvider['listTopics'];
  /** As the driver within; undefined where that cannot tell what it keeps. */
  readonly inspectTopic?: InspectionProvider['inspectTopic'];
  /** As the driver within; undefined where that cannot tell what it keeps. */
  readonly inspectTopics?: InspectionProvider['inspectTopics'];

  /** As the driver within; undefined where that cannot choose who watches. */
  readonly takeWatch?: WatchTurns['takeWatch'];
  /** As the driver within; undefined where that cannot choose who watches. */
  readonly leaveWatch?: WatchTurns['leaveWatch'];

  /** As the driver within; undefined where operators cannot steer its groups. */
  readonly steering?: SteeringProvider['steering'];

  constructor(protected readonly inner: DiscoDriver) {
    if (offersDeadLetters(inner)) this.deadLetters = (topic, group) => inner.deadLetters(topic, group);
    if (offersGroupRemoval(inner)) this.removeGroup = (topic, group) => inner.removeGroup(topic, group);
    if (offersInspection(inner)) {
      this.listTopics = (range) => inner.listTopics(range);
      this.inspectTopic = (...given) => inner.inspectTopic(...given);
      this.inspectTopics = (range) => inner.inspectTopics(range);
    }
    if (offersWatchTurns(inner)) {
      this.takeWatch = (...given) => inner.takeWatch(...given);
      this.leaveWatch = (...given) => inner.leaveWatch(...given);
    }
    if (offersSteering(inner)) this.steering = () => inner.steering();
    if (!offersTopicAgreements(inner)) return;
    this.agreeOn = (...given) => inner.agreeOn(...given);
    this.releaseTopics = (...given) => inner.releaseTopics(...given);
  }

  get name(): string {
    return this.inner.name;
  }

  get capabilities(): DriverCapabilities {
    return this.inner.capabilities;
  }

  get bufferLimit(): BufferLimit | undefined {
    return this.inner.bufferLimit;
  }

  connect(context?: DriverContext): Promise<void> {
    return this.inner.connect(context);
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    return this.inner.publish(topic, frame, options);
  }

  subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    return this.inner.subscribe(topicOrPattern, options, onDelivery);
  }

  close(graceMs?: number): Promise<void> {
    return this.inner.close(graceMs);
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.inner.onStatus(listener);
  }
}
