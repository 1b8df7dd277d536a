import { ConfigurationError } from '../errors/bus.errors.js';
import { PayloadInvalidError } from '../errors/handler.errors.js';
import { payloadProblems } from '../errors/payload-problems.js';
import { DerivedContext } from './derived-context.js';
import type { DiscoMessageContext } from './message-context.js';
import { isThenable, type Middleware } from './middleware.js';

/** The part of the Standard Schema interface (standardschema.dev, version 1) that is used here. */
export interface StandardSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
  };
}

/** What a schema answers. */
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One thing that a schema found wrong. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * Hands on what `schema` makes of the payload. What it refuses fails with a PayloadInvalidError that names the
 * paths and, where the schema tells them apart, the rules; not the values.
 */
export function validate(schema: StandardSchema): Middleware {
  if (!isSchema(schema)) throw new ConfigurationError('validate needs a Standard Schema');
  return (next) => (context) => {
    const result = schema['~standard'].validate(context.message.payload);
    return isThenable(result)
      ? result.then((settled) => next(accepted(context, settled as SchemaResult<unknown>)))
      : next(accepted(context, result as SchemaResult<unknown>));
  };
}

/** Whether `value` is a Standard Schema: an object, or a function, as arktype's are. */
export function isSchema(value: unknown): value is StandardSchema {
  return typeof (value as StandardSchema | null | undefined)?.['~standard']?.validate === 'function';
}

/** What a schema has made of a value. Throws what `refusal` makes of its problems, field and rule, where it has refused it. */
export function acceptedValue(
  result: SchemaResult<unknown>,
  refusal: (problems: readonly string[]) => Error,
): unknown {
  if (result.issues) throw refusal(payloadProblems(result) ?? []);
  return result.value;
}

function accepted(context: DiscoMessageContext, result: SchemaResult<unknown>): DiscoMessageContext {
  const payload = acceptedValue(result, (problems) => new PayloadInvalidError(problems));
  return new DerivedContext(context, { ...context.message, payload });
}
