import type { StandardSchemaV1 } from '@standard-schema/spec';
import { PayloadInvalidError } from '../errors/handler.errors.js';
import { payloadProblems } from '../errors/payload-problems.js';
import { isThenable } from './middleware.js';

/** The error for what a schema refuses: what is wrong with it, field and rule, and never its values. */
export type Refusal = (problems: readonly string[], cause?: unknown) => Error;

/** Whether `value` is a Standard Schema: an object, or a function, as arktype's are. */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  return typeof (value as StandardSchemaV1 | null | undefined)?.['~standard']?.validate === 'function';
}

/**
 * What `schema` makes of `value`, or a promise of it where the schema takes its time. Throws what `refusal` makes, also where
 * the schema itself throws or answers nothing that can be read.
 */
export function parsed(schema: StandardSchemaV1, value: unknown, refusal: Refusal): unknown {
  let result: ReturnType<StandardSchemaV1['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(value);
  } catch (error) {
    throw threw(error, refusal);
  }
  if (!isThenable(result)) return accepted(result as StandardSchemaV1.Result<unknown>, refusal);
  return (result as Promise<StandardSchemaV1.Result<unknown>>).then(
    (settled) => accepted(settled, refusal),
    (error) => {
      throw threw(error, refusal);
    },
  );
}

/** `next` of `value`, at once where it is no promise. */
export function after<T>(value: unknown, next: (value: any) => T): T | Promise<T> {
  return isThenable(value) ? (value as Promise<unknown>).then(next) : next(value);
}

/** The refusal of a payload, of `topic` where that is to be told. */
export function payloadRefusal(topic?: string): Refusal {
  return (problems, cause) => new PayloadInvalidError(problems, { cause, topic });
}

function accepted(result: StandardSchemaV1.Result<unknown>, refusal: Refusal): unknown {
  let problems: readonly string[];
  try {
    if (!result.issues) return result.value;
    problems = payloadProblems(result) ?? [];
  } catch (error) {
    throw threw(error, refusal);
  }
  throw refusal(problems);
}

function threw(error: unknown, refusal: Refusal): Error {
  const name = error instanceof Error ? error.name : typeof error;
  return refusal([`the schema itself failed with ${name}`], error);
}
