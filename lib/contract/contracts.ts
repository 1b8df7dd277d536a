import { ConfigurationError } from '../errors/bus.errors.js';
import { type Contract, type Definition, isDefinition } from './definition.js';

/** What stands in a contract, by the names that it gives. Throws ConfigurationError for what is no definition. */
export function entriesOf(contract: Contract): [name: string, definition: Definition][] {
  const entries = Object.entries(contract);
  for (const [name, definition] of entries) {
    if (isDefinition(definition)) continue;
    throw new ConfigurationError(`contract.${name} must be made by defineTopic or defineRequest`);
  }
  return entries;
}

/** The newer one of two versions. Throws ConfigurationError where they are two definitions of one name. */
export function newerVersion(known: Definition | undefined, other: Definition): Definition {
  if (known === undefined || other.lineage.includes(known)) return other;
  if (known.lineage.includes(other)) return known;
  throw new ConfigurationError(
    `"${other.name}" is defined twice, and differently: import one definition, or make a version of it`,
  );
}
