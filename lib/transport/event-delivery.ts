import type { DiscoBus } from '../bus/disco-bus.js';
import { transportAccess } from '../bus/transport-access.js';
import type { Definition } from '../contract/definition.js';
import type { TopicOptions } from '../contract/topic-options.js';
import type { DeliveryGuarantee } from '../driver/capabilities.js';
import type { DiscoEventExtras } from './transport-options.js';

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
  const agreed = transportAccess(bus).agreedDelivery(topicOrPattern) ?? wanted;
  if (agreed !== undefined) return agreed;
  if (bus.capabilities['at-least-once']) return 'at-least-once';
  onFallback();
  return 'at-most-once';
}

/** Among a handler's extras: what it was decorated with. */
export const DEFINITION = Symbol.for('nestjs-disco-bus:pattern-definition');

/** What a handler was decorated with, where that is a definition. */
export function definitionIn(extras: Readonly<Record<PropertyKey, unknown>> = {}): Definition | undefined {
  return extras[DEFINITION] as Definition | undefined;
}

/** What a server says of all events, save what the `topics` table or a definition says of this one. */
export function usualOptions(
  bus: DiscoBus,
  topicOrPattern: string,
  usual: TopicOptions | undefined,
): TopicOptions {
  const agreed = transportAccess(bus).agreedOptions(topicOrPattern);
  return Object.fromEntries(Object.entries(usual ?? {}).filter(([option]) => !Object.hasOwn(agreed, option)));
}

/** Every option that a handler of events may say for itself; the type holds the list complete. */
const eventExtras: Readonly<Record<keyof DiscoEventExtras, true>> = {
  wire: true,
  delivery: true,
  group: true,
  concurrency: true,
  prefetch: true,
  retry: true,
  deadLetter: true,
  timeout: true,
  startFrom: true,
  backlog: true,
  orderBy: true,
  shared: true,
  name: true,
};

/** The topic options among a handler's extras; the rest belongs to somebody else. */
export function topicOptionsOf(extras: Readonly<Record<string, unknown>> = {}): DiscoEventExtras {
  return Object.fromEntries(
    Object.entries(extras).filter(([name, value]) => Object.hasOwn(eventExtras, name) && value !== undefined),
  ) as DiscoEventExtras;
}
