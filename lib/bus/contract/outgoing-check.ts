import type { Definition } from '../../contract/definition.js';
import { checksAt, type ValidationOptions } from '../../contract/definition-options.js';
import { VERSION_HEADER } from '../../contract/version-header.js';
import { PayloadInvalidError } from '../../errors/handler.errors.js';
import { parsed, payloadRefusal } from '../../middleware/schema-check.js';
import type { PublishOptions } from '../options/bus-options.js';

/** Options of a publish as the bus itself makes them. */
export interface DefinedPublishOptions extends PublishOptions {
  /** What the caller published with, where that is not the newest version known. */
  readonly definition?: Definition;
}

/**
 * Throws PayloadInvalidError for a payload that does not fit its topic. A promise where the schema takes its time; what it
 * makes of the payload is for whoever reads it.
 */
export function checkOutgoing(
  { name, parts, schema }: Definition,
  payload: unknown,
  validation: ValidationOptions,
): unknown {
  if (schema === undefined || !checksAt('publish', parts, validation)) return undefined;
  return parsed(schema, payload, payloadRefusal(name));
}

/** `options` with what the definition says of each message: its key and its version. */
export function definedOptions(
  { name, parts, versionNumber }: Definition,
  payload: unknown,
  options: PublishOptions,
): PublishOptions {
  if (versionNumber === 1 && (parts.key === undefined || options.key !== undefined)) return options;
  const versioned =
    versionNumber === 1
      ? options
      : { ...options, headers: { ...options.headers, [VERSION_HEADER]: String(versionNumber) } };
  if (parts.key === undefined || options.key !== undefined) return versioned;
  return { ...versioned, key: keyOf(name, parts.key, payload) };
}

function keyOf(topic: string, key: (payload: any) => string, payload: unknown): string {
  try {
    return key(payload);
  } catch (error) {
    throw new PayloadInvalidError(['its key could not be made'], { topic, cause: error });
  }
}
