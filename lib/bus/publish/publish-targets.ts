import type { MessagePublishOptions } from '../../bundling/bundle-lane.js';
import type { Codec } from '../../codec/codec.js';
import type { DeliveryGuarantee, GuaranteeCapabilities } from '../../driver/capabilities.js';
import { HeaderMemory } from '../../message/header-memory.js';
import { type MessageIdSource, messageIdSources } from '../../message/message-id.js';
import { assertTopic } from '../../message/topic.js';
import type { TopicMetrics } from '../../metrics/metrics.js';
import type { ExpectedSubscriptions } from '../options/expected-subscriptions.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { offered } from '../wire/offered.js';
import type { Wire } from '../wire/wire.js';

/** What is known of a topic that was published to. */
export interface PublishTarget {
  readonly topic: string;
  readonly delivery: DeliveryGuarantee;
  readonly wire: Wire;
  readonly codec: Codec;
  readonly capabilities: GuaranteeCapabilities;
  readonly metrics: Required<TopicMetrics>;
  readonly ids: MessageIdSource;
  readonly headers: HeaderMemory;
  /** To be called when the server sent a message to nobody. */
  unheard(): void;
  /** How a message goes for which nothing else was asked. */
  readonly usual: MessagePublishOptions;
}

/** Topics without a listener that are told of. */
const UNHEARD_TOLD = 100;

/** Topics remembered at a time; beyond that the memory is emptied and begins again. */
const REMEMBERED_TOPICS = 20_000;

/** Checks a topic when it is first published to, and remembers the answer. */
export class PublishTargets {
  /** By what was asked for: a guarantee, or whatever is agreed for the topic. */
  private readonly targets: Record<DeliveryGuarantee | 'agreed', Map<string, PublishTarget>> = {
    agreed: new Map(),
    'at-most-once': new Map(),
    'at-least-once': new Map(),
  };
  private readonly idSource = messageIdSources();
  private readonly unheard = new Set<string>();

  constructor(
    private readonly options: ResolvedOptions,
    private readonly expected: ExpectedSubscriptions,
  ) {}

  /** Throws TopicInvalidError, or ConfigurationError for a guarantee that the driver lacks or a subscription contradicts. */
  get(topic: string, delivery: DeliveryGuarantee | undefined): PublishTarget {
    const targets = this.targets[delivery ?? 'agreed'];
    const known = targets?.get(topic);
    if (known) return known;
    const target = this.open(assertTopic(topic), delivery);
    if (targets.size >= REMEMBERED_TOPICS) targets.clear();
    targets.set(topic, target);
    return target;
  }

  /** A new subscription may contradict what was remembered. */
  forget(): void {
    for (const targets of Object.values(this.targets)) targets.clear();
  }

  /** Once for each topic: what is fanned out to nobody is gone. */
  private tellUnheard(topic: string): void {
    if (this.unheard.has(topic) || this.unheard.size > UNHEARD_TOLD) return;
    this.unheard.add(topic);
    const { logger, prefix } = this.options;
    const more = this.unheard.size > UNHEARD_TOLD ? '; further topics are not told' : '';
    logger.warn(
      `"${topic}" was published at most once below the prefix "${prefix}" and nobody listened: such messages are gone${more}`,
      { event: 'nobody-listened', topic },
    );
  }

  private open(topic: string, wanted: DeliveryGuarantee | undefined): PublishTarget {
    const { driver, topics, contracts, wires, metrics, publishTimeoutMs: timeoutMs } = this.options;
    const policy = topics.get(topic, { delivery: wanted });
    const { delivery } = policy;
    if (contracts.get(topic) !== undefined) topics.assertAgrees(topic, policy);
    const wire = wires.of(policy.wire);
    const capabilities = offered(driver, delivery, wire);
    this.expected.assertAgree(topic, policy);
    return {
      topic,
      delivery,
      wire,
      codec: wire.codecFor(delivery),
      capabilities,
      metrics: metrics.topic(topic),
      ids: this.idSource(),
      headers: new HeaderMemory(),
      unheard: () => this.tellUnheard(topic),
      usual: { ...noOptions, delivery, timeoutMs, bare: wire.bare },
    };
  }
}

/** Every field, always in one order: objects of one shape keep the path to the driver quick. */
const noOptions = {
  delivery: undefined,
  timeoutMs: undefined,
  deduplicate: undefined,
  key: undefined,
  delayMs: undefined,
  ttlMs: undefined,
  signal: undefined,
  bare: undefined,
};
