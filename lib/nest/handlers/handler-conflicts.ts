import { ConfigurationError } from '../../errors/bus.errors.js';
import type { BusEntry } from '../bus-registry.js';
import type { FoundHandler } from './handler-explorer.js';

/** A handler and the bus it goes on. */
export interface PlacedHandler {
  readonly handler: FoundHandler;
  readonly bus: BusEntry;
}

/**
 * Throws ConfigurationError if two handlers would share a consumer group on one topic: each would silently get a part of
 * the messages. Fanned-out topics have no groups, so any number of handlers may be on one.
 */
export function assertNoSharedGroup(placed: readonly PlacedHandler[]): void {
  const taken = new Map<string, string>();
  for (const { handler, bus } of placed) {
    const { delivery, group } = bus.topics.get(handler.topic, handler.options);
    if (delivery === 'at-most-once') continue;
    const place = JSON.stringify([bus.name, handler.topic, group]);
    const other = taken.get(place);
    if (other !== undefined) {
      throw new ConfigurationError(
        `${other} and ${handler.label} would share the messages of "${handler.topic}" in the group "${group}"; give each a group of its own`,
      );
    }
    taken.set(place, handler.label);
  }
}
