import type { TopicOptions } from '../bus/bus-options.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import type { DeliveryGuarantee } from '../driver/capabilities.js';
import { isTopicPattern } from '../message/topic-pattern.js';

/**
 * The guarantee of an event: what the bus's `topics` table says, else `wanted`, else at least once where the driver can.
 * `onFallback` is told when it cannot.
 */
export function eventDelivery(
  bus: DiscoBus,
  topicOrPattern: string,
  wanted: DeliveryGuarantee | undefined,
  onFallback: () => void,
): DeliveryGuarantee {
  const agreed = bus.agreedDelivery(topicOrPattern) ?? wanted;
  if (agreed !== undefined) return agreed;
  const capabilities = bus.capabilities['at-least-once'];
  if (capabilities && (capabilities.patterns || !isTopicPattern(topicOrPattern))) return 'at-least-once';
  onFallback();
  return 'at-most-once';
}

/**
 * Whether handlers of patterns with wildcards get events at least once. Where they do not, an event is also sent at most
 * once, to those handlers alone.
 */
export function storesPatterns(bus: DiscoBus): boolean {
  const stored = bus.capabilities['at-least-once'];
  return stored === undefined || stored.patterns;
}

const topicOptionNames: ReadonlySet<string> = new Set<keyof TopicOptions>([
  'wire',
  'delivery',
  'group',
  'concurrency',
  'prefetch',
  'retry',
  'deadLetter',
  'timeout',
  'startFrom',
  'backlog',
]);

/** The topic options among a handler's extras; the rest belongs to somebody else. */
export function topicOptionsOf(extras: Readonly<Record<string, unknown>> = {}): TopicOptions {
  return Object.fromEntries(
    Object.entries(extras).filter(([name, value]) => topicOptionNames.has(name) && value !== undefined),
  ) as TopicOptions;
}
