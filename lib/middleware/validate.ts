import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ConfigurationError } from '../errors/bus.errors.js';
import { DerivedContext } from './derived-context.js';
import type { Middleware } from './middleware.js';
import { after, isSchema, parsed, payloadRefusal } from './schema-check.js';

const refusal = payloadRefusal();

/**
 * Hands on what `schema` makes of the payload. What it refuses fails with a PayloadInvalidError that names the
 * paths and, where the schema tells them apart, the rules; not the values. So does a payload on which the schema itself throws.
 */
export function validate(schema: StandardSchemaV1): Middleware {
  if (!isSchema(schema)) throw new ConfigurationError('validate needs a Standard Schema');
  return (next) => (context) =>
    after(parsed(schema, context.message.payload, refusal), (payload) =>
      next(new DerivedContext(context, { ...context.message, payload })),
    );
}
