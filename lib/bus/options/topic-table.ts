import { createHash } from 'node:crypto';
import type { BacklogOptions, RetryOptions, TopicOptions, WireName } from '../../contract/topic-options.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import {
  assertTopicOrPattern,
  isTopicPattern,
  type TopicMatcher,
  topicMatcher,
} from '../../message/topic-pattern.js';
import { type Backoff, resolveBackoff } from '../../timing/backoff.js';
import { toMilliseconds } from '../../timing/duration.js';

/** {@link TopicOptions}, checked and complete. */
export interface ResolvedTopic {
  readonly wire: WireName;
  readonly delivery: DeliveryGuarantee;
  readonly group: string;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly deadLetter: boolean;
  readonly timeoutMs: number;
  readonly startFrom: 'beginning' | 'new';
  readonly ordered: boolean;
  readonly backlog: Readonly<Required<BacklogOptions>>;
}

const groupGrammar = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;
/** What drivers take for a group's name. */
const LONGEST_GROUP = 200;
const BACKLOG_BYTES = 64 * 1024 * 1024;

/**
 * The consumer group of a subscription that names none: the service itself for a topic, and a group of its own for each
 * topic pattern, `billing@orders.*`, so that handlers whose topics overlap each get every message. No group that a caller
 * names can have such a name.
 */
export function defaultGroup(service: string, topicOrPattern: string): string {
  if (!isTopicPattern(topicOrPattern)) return service;
  const group = `${service}@${topicOrPattern}`;
  if (group.length <= LONGEST_GROUP) return group;
  return `${service}@${createHash('sha256').update(topicOrPattern).digest('base64url')}`;
}

/** What is agreed about topics: the `topics` table over `defaults`, checked when it is made. */
export class TopicTable {
  private readonly exact = new Map<string, TopicOptions>();
  private readonly patterns: { readonly matches: TopicMatcher; readonly options: TopicOptions }[] = [];
  /** By topic, what a definition of it says. */
  private readonly adopted = new Map<string, TopicOptions>();
  /** The topics and patterns that the table names, as written. */
  readonly names: readonly string[];

  constructor(
    private readonly service: string,
    private readonly defaults: TopicOptions = {},
    topics: Readonly<Record<string, TopicOptions>> = {},
    /** For what says no guarantee. */
    private readonly usual: DeliveryGuarantee = 'at-least-once',
  ) {
    this.names = Object.keys(topics);
    this.resolve('defaults', service, defaults);
    for (const name of this.names) this.add(assertTopicOrPattern(name), topics[name]);
  }

  /** What holds for a topic, or for a subscription to a pattern, with a caller's own `options` on top. */
  get(topicOrPattern: string, options: TopicOptions = {}): ResolvedTopic {
    return this.resolve(`"${topicOrPattern}"`, defaultGroup(this.service, topicOrPattern), {
      ...this.defaults,
      ...this.agreed(topicOrPattern),
      ...defined(options),
    });
  }

  /** What holds for one of the bus's own topics: the table and the defaults are not about those. */
  own(topic: string, options: TopicOptions): ResolvedTopic {
    return this.resolve(`"${topic}"`, this.service, options);
  }

  /**
   * Follows the definition of a topic from now on, where the table says nothing else. Throws ConfigurationError where the two
   * contradict each other.
   */
  adopt(topic: string, policy: TopicOptions): void {
    const own = this.named(topic) ?? {};
    for (const option of ['delivery', 'wire'] as const) {
      if (own[option] === undefined || policy[option] === undefined || own[option] === policy[option])
        continue;
      throw new ConfigurationError(
        `"${topic}" has ${option} '${policy[option]}' in its definition and '${own[option]}' in the topics table; say it in one place`,
      );
    }
    const { wire, delivery = wire === 'go' ? 'at-most-once' : this.usual } = policy;
    const whole = { delivery, ...defined(policy) };
    this.resolve(`the definition of "${topic}"`, this.service, whole);
    this.adopted.set(topic, whole);
  }

  /** The guarantee that the table names for a topic or topic pattern, if it does. */
  agreedDelivery(topicOrPattern: string): DeliveryGuarantee | undefined {
    const { delivery, wire } = this.agreed(topicOrPattern) ?? {};
    return delivery ?? (wire === 'go' ? 'at-most-once' : undefined);
  }

  /** The options that the table and a definition name for a topic or topic pattern. */
  agreedOptions(topicOrPattern: string): TopicOptions {
    return this.agreed(topicOrPattern) ?? {};
  }

  /** Throws ConfigurationError if the table names `topic` and says another guarantee or wire than these. */
  assertAgrees(topic: string, { delivery, wire }: ResolvedTopic): void {
    const agreed = this.agreed(topic) ?? {};
    if (agreed.delivery !== undefined && agreed.delivery !== delivery) {
      throw new ConfigurationError(
        `"${topic}" is ${agreed.delivery} in ${this.sourceOf(topic)} and cannot be ${delivery} here`,
      );
    }
    if (agreed.wire !== undefined && agreed.wire !== wire) {
      throw new ConfigurationError(
        `"${topic}" has the wire '${agreed.wire}' in ${this.sourceOf(topic)} and cannot have '${wire}' here`,
      );
    }
  }

  private agreed(topicOrPattern: string): TopicOptions | undefined {
    const adopted = this.adopted.get(topicOrPattern);
    const named = this.named(topicOrPattern);
    return adopted === undefined ? named : { ...adopted, ...named };
  }

  private sourceOf(topic: string): string {
    return this.named(topic) === undefined ? 'its definition' : 'the topics table';
  }

  private named(topicOrPattern: string): TopicOptions | undefined {
    return (
      this.exact.get(topicOrPattern) ?? this.patterns.find(({ matches }) => matches(topicOrPattern))?.options
    );
  }

  private add(name: string, options: TopicOptions): void {
    this.resolve(`topics["${name}"]`, this.service, { ...this.defaults, ...defined(options) });
    this.exact.set(name, options);
    if (isTopicPattern(name)) this.patterns.push({ matches: topicMatcher(name), options });
  }

  private resolve(where: string, usualGroup: string, options: TopicOptions): ResolvedTopic {
    const {
      wire = 'disco',
      delivery = wire === 'go' ? 'at-most-once' : this.usual,
      group = usualGroup,
      concurrency = 16,
      startFrom = 'beginning',
    } = options;
    const { prefetch = concurrency, deadLetter = true, timeout = '30s', backlog = {}, orderBy } = options;
    const { limit = 100_000, maxBytes = BACKLOG_BYTES, overflow = 'drop-new' } = backlog;
    oneOf(`${where}.wire`, wire, ['disco', 'go']);
    oneOf(`${where}.delivery`, delivery, ['at-most-once', 'at-least-once']);
    oneOf(`${where}.startFrom`, startFrom, ['beginning', 'new']);
    if (orderBy !== undefined) oneOf(`${where}.orderBy`, orderBy, ['key']);
    oneOf(`${where}.backlog.overflow`, overflow, ['drop-new', 'drop-old']);
    if (group !== usualGroup && !groupGrammar.test(group))
      throw new ConfigurationError(`${where}.group must be a name`);
    if (wire === 'go') assertGoCan(where, delivery, orderBy);
    return {
      wire,
      delivery,
      group,
      concurrency: wholeNumber(`${where}.concurrency`, concurrency, 1, 100_000),
      prefetch: wholeNumber(`${where}.prefetch`, prefetch, 0, 100_000),
      ...resolveRetry(`${where}.retry`, delivery, options.retry),
      deadLetter: Boolean(deadLetter),
      timeoutMs: toMilliseconds(timeout, `${where}.timeout`, { minMs: 1 }),
      startFrom,
      ordered: orderBy === 'key',
      backlog: {
        limit: wholeNumber(`${where}.backlog.limit`, limit, 1, 100_000_000),
        maxBytes: wholeNumber(`${where}.backlog.maxBytes`, maxBytes, 1, Number.MAX_SAFE_INTEGER),
        overflow,
      },
    };
  }
}

/** Throws ConfigurationError for what the Go library's messages have no place for. */
function assertGoCan(where: string, delivery: DeliveryGuarantee, orderBy: string | undefined): void {
  if (delivery !== 'at-most-once') {
    throw new ConfigurationError(`${where}: the wire 'go' is at most once and cannot be ${delivery}`);
  }
  if (orderBy !== undefined) {
    throw new ConfigurationError(`${where}: messages on the wire 'go' have no key to order them by`);
  }
}

function resolveRetry(where: string, delivery: DeliveryGuarantee, retry: RetryOptions | false | undefined) {
  const usual = delivery === 'at-least-once' ? 5 : 1;
  const { attempts = usual, backoff } = retry === false ? { attempts: 1 } : ((retry ?? {}) as RetryOptions);
  return {
    attempts: wholeNumber(`${where}.attempts`, attempts, 1, 1_000_000),
    backoff: resolveBackoff(backoff, `${where}.backoff`),
  };
}

function wholeNumber(option: string, value: unknown, least: number, most: number): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw new ConfigurationError(`${option} must be a whole number from ${least} to ${most}`);
  }
  return value as number;
}

function oneOf(option: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string))
    throw new ConfigurationError(`${option} must be one of ${allowed.join(', ')}`);
}

function defined(options: TopicOptions): TopicOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as TopicOptions;
}
