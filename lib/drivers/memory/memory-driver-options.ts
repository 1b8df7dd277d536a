import { ConfigurationError } from '../../errors/bus.errors.js';
import { aDuration, type OptionKinds } from '../../errors/option-kinds.js';
import type { Duration } from '../../timing/duration.js';
import { brokerKinds, MemoryBroker, type MemoryBrokerOptions } from './memory-broker.js';

/** Options of {@link memoryDriver}. Those of {@link MemoryBrokerOptions} are for the broker it makes itself. */
export interface MemoryDriverOptions extends MemoryBrokerOptions {
  /** The broker to use; drivers on one broker reach each other. @default a new one of its own */
  broker?: MemoryBroker;
  /** After this, what a closed subscription has left unsettled goes back to its group. @default '30s' */
  visibilityTimeout?: Duration;
}

/** What each of {@link MemoryDriverOptions} may be. */
export const driverKinds: OptionKinds<MemoryDriverOptions> = {
  ...brokerKinds,
  broker: { told: 'a MemoryBroker', fits: (value) => value instanceof MemoryBroker },
  visibilityTimeout: aDuration,
};

/** Throws ConfigurationError for options that a broker that is handed in has decided already. */
export function refuseBrokerOptions(broker: MemoryBroker, options: MemoryBrokerOptions): void {
  const { clock, ...others } = options;
  const given = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (clock !== undefined && clock !== broker.clock) given.push('clock');
  if (given.length === 0) return;
  throw new ConfigurationError(`memoryDriver: ${given[0]} is the broker's; give it to new MemoryBroker()`);
}
