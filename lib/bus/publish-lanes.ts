import type { DeliveryGuarantee, GuaranteeCapabilities } from '../driver/capabilities.js';
import { assertTopic } from '../message/topic.js';
import type { TopicMetrics } from '../metrics/metrics.js';
import { TopicLabels } from '../metrics/topic-labels.js';
import { assertAgreed } from './delivery-agreement.js';
import { offered } from './offered.js';
import type { ResolvedOptions } from './resolved-options.js';
import type { BusSubscription } from './subscription.js';
import type { Wire } from './wire.js';

/** What is known of a topic that was published to. */
export interface PublishLane {
  readonly topic: string;
  readonly delivery: DeliveryGuarantee;
  readonly wire: Wire;
  readonly capabilities: GuaranteeCapabilities;
  readonly metrics: TopicMetrics;
}

/** Topics remembered at a time; beyond that the memory is emptied and begins again. */
const REMEMBERED_TOPICS = 20_000;

/** Checks a topic when it is first published to, and remembers the answer. */
export class PublishLanes {
  private readonly lanes = new Map<string, PublishLane>();
  private readonly labels: TopicLabels;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly subscriptions: ReadonlySet<BusSubscription>,
  ) {
    this.labels = new TopicLabels(options.topics.names);
  }

  /** Throws TopicInvalidError, or ConfigurationError for a guarantee that the driver lacks or a subscription contradicts. */
  get(topic: string, delivery: DeliveryGuarantee | undefined): PublishLane {
    const known = this.lanes.get(topic);
    if (known && (delivery === undefined || delivery === known.delivery)) return known;
    const lane = this.open(assertTopic(topic), delivery);
    if (delivery === undefined) {
      if (this.lanes.size >= REMEMBERED_TOPICS) this.lanes.clear();
      this.lanes.set(topic, lane);
    }
    return lane;
  }

  /** A new subscription may contradict what was remembered. */
  forget(): void {
    this.lanes.clear();
  }

  private open(topic: string, wanted: DeliveryGuarantee | undefined): PublishLane {
    const { driver, topics, wires, metrics } = this.options;
    const policy = topics.get(topic, { delivery: wanted });
    const { delivery } = policy;
    const wire = wires.of(policy.wire);
    const capabilities = offered(driver, delivery, wire);
    assertAgreed(topic, policy, this.subscriptions);
    return { topic, delivery, wire, capabilities, metrics: metrics.topic(this.labels.of(topic)) };
  }
}
