import type { StandardSchemaV1 } from '@standard-schema/spec';
import { PayloadInvalidError } from '../errors/handler.errors.js';
import { isThenable } from '../middleware/middleware.js';
import { acceptedValue } from '../middleware/validate.js';

/** The error for what a schema refuses: what is wrong with it, field and rule, and never its values. */
export type Refusal = (problems: readonly string[], cause?: unknown) => Error;

/**
 * What `schema` makes of `value`, or a promise of it where the schema takes its time. Throws what `refusal` makes, also where
 * the schema itself throws.
 */
export function parsed(schema: StandardSchemaV1, value: unknown, refusal: Refusal): unknown {
  let result: ReturnType<StandardSchemaV1['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(value);
  } catch (error) {
    throw threw(error, refusal);
  }
  if (!isThenable(result)) return acceptedValue(result as StandardSchemaV1.Result<unknown>, refusal);
  return (result as Promise<StandardSchemaV1.Result<unknown>>).then(
    (settled) => acceptedValue(settled, refusal),
    (error) => {
      throw threw(error, refusal);
    },
  );
}

/** `next` of `value`, at once where it is no promise. */
export function after<T>(value: unknown, next: (value: any) => T): T | Promise<T> {
  return isThenable(value) ? (value as Promise<unknown>).then(next) : next(value);
}

/** The refusal of a payload of `topic`. */
export function payloadRefusal(topic: string): Refusal {
  return (problems, cause) => new PayloadInvalidError(problems, { cause, topic });
}

function threw(error: unknown, refusal: Refusal): Error {
  const name = error instanceof Error ? error.name : typeof error;
  return refusal([`the schema itself failed with ${name}`], error);
}
