import type { BusStatus } from '../../bus/bus-status.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { nearestName } from '../../errors/nearest-name.js';
import { aString, type OptionKinds } from '../../errors/option-kinds.js';
import { MethodMarks } from './method-marks.js';

/** What can be listened to: every type of `BusStatus`. */
export type DiscoEventType = BusStatus['type'];

/** What a method is given. */
export type DiscoEvent<Type extends DiscoEventType = DiscoEventType> = Extract<
  BusStatus,
  { readonly type: Type }
>;

/** Whose events are meant. */
export interface OnDiscoEventOptions {
  /** The name of the bus. @default 'default' */
  bus?: string;
}

/** One `@OnDiscoEvent` of a method. */
export interface EventMark {
  readonly types: readonly DiscoEventType[];
  readonly bus: string | undefined;
}

const optionKinds: OptionKinds<OnDiscoEventOptions> = { bus: aString };

/** Every type, so that a new one cannot be forgotten. */
const known: Record<DiscoEventType, true> = {
  state: true,
  connected: true,
  disconnected: true,
  gap: true,
  error: true,
  subscribed: true,
  unsubscribed: true,
  retry: true,
  'dead-letter': true,
  expired: true,
  dropped: true,
  'lock-lost': true,
  'data-loss': true,
  trimmed: true,
  unread: true,
  abandoned: true,
  'dead-letters-full': true,
  'deduplication-full': true,
  full: true,
  evicts: true,
};

const marks = new MethodMarks<EventMark>('disco-bus:events');

/**
 * Calls the method of a provider or controller for each event of a bus: `@OnDiscoEvent('dead-letter')`, or several types in an
 * array. The method gets the event, in the order in which they happen and from before the bus connects until it is closed.
 * Nobody waits for it; what it throws, or rejects with, is an error in the log and changes nothing else.
 * The provider must have one instance: for one that is made per request the application does not start.
 * Throws ConfigurationError for an event that there is not, and on what is no method of instances.
 */
export function OnDiscoEvent<Type extends DiscoEventType>(
  event: Type | readonly Type[],
  options: OnDiscoEventOptions = {},
) {
  const types = (Array.isArray(event) ? event : [event]) as readonly Type[];
  if (types.length === 0) throw new ConfigurationError('@OnDiscoEvent needs an event');
  for (const type of types) assertKnown(type);
  const name = `@OnDiscoEvent(${types.map((type) => JSON.stringify(type)).join(', ')})`;
  assertOptions(name, options, optionKinds);
  return <Method extends (event: DiscoEvent<Type>) => unknown>(
    target: object,
    method: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => marks.add(name, { target, method, descriptor }, { types, bus: options.bus });
}

/** The `@OnDiscoEvent`s of a method. */
export function eventsOf(prototype: object, method: string): readonly EventMark[] {
  return marks.of(prototype, method);
}

function assertKnown(type: unknown): void {
  if (typeof type === 'string' && Object.hasOwn(known, type)) return;
  const names = Object.keys(known);
  const nearest = typeof type === 'string' ? nearestName(type, names) : undefined;
  const hint = nearest === undefined ? `there are ${names.join(', ')}` : `did you mean "${nearest}"?`;
  throw new ConfigurationError(`@OnDiscoEvent knows no event ${JSON.stringify(type)}: ${hint}`);
}
