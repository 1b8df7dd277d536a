import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ConfigurationError } from '../errors/bus.errors.js';
import {
  aBoolean,
  aDuration,
  aFunction,
  aString,
  type OptionKind,
  type OptionKinds,
  oneOf,
  options as optionsOf,
} from '../errors/option-kinds.js';
import { isSchema } from '../middleware/schema-check.js';
import type { Duration } from '../timing/duration.js';
import { type TopicOptions, topicKinds } from './topic-options.js';

/** At which end payloads are compared with their schema. */
export interface ValidationOptions {
  /** Before they are published, or requested. @default true */
  publish?: boolean;
  /** Before they are handed to a handler, and replies before they are handed to who asked. @default true */
  handle?: boolean;
}

/** What is agreed about a topic beside its name and type; all that read or write it follow it. */
export interface DefinitionOptions<Published> extends Omit<TopicOptions, 'group'> {
  /** The key of a message, as an order's number: see `orderBy`. A `key` in the options of a publish goes before it. */
  key?: (payload: Published) => string;
  /**
   * What becomes of a message of a later version than a handler knows: `'wait'`: it comes back until a member of the group
   * knows it, which counts as no attempt; `'dead-letter'`: it is given up at once. At most once it is dropped in any case, and
   * with `orderBy` it cannot wait. @default 'wait', with `orderBy` 'dead-letter'
   */
  newer?: 'wait' | 'dead-letter';
  /** @default both */
  validate?: ValidationOptions;
  /** For documents, as AsyncAPI. */
  description?: string;
}

/** {@link DefinitionOptions} with a schema: any Standard Schema, as of zod, valibot or arktype. */
export interface SchemaOptions<Schema extends StandardSchemaV1>
  extends DefinitionOptions<StandardSchemaV1.InferInput<Schema>> {
  /** Payloads are compared with it at both ends. What is sent is what was given; a handler gets what the schema makes of it. */
  schema: Schema;
}

/** What is agreed about a request beside its name and types. */
export interface RequestDefinitionOptions<Asked> extends DefinitionOptions<Asked> {
  /** How long a request waits for its reply. @default the bus's `requestTimeout` */
  requestTimeout?: Duration;
}

/** The next version of a topic. */
export interface VersionOptions<Schema extends StandardSchemaV1, Older>
  extends Partial<SchemaOptions<Schema>> {
  schema: Schema;
  /** Makes what the schema takes of what handlers of the version before got. */
  upgrade: (
    older: Older,
  ) => StandardSchemaV1.InferInput<Schema> | Promise<StandardSchemaV1.InferInput<Schema>>;
}

/** Whether payloads are compared at that end: as the bus says, else as the definition does, else yes. */
export function checksAt(
  end: keyof ValidationOptions,
  { validate }: DefinitionParts,
  ofBus: ValidationOptions,
): boolean {
  return ofBus[end] ?? validate?.[end] ?? true;
}

/** Throws ConfigurationError where a message is to wait that others would overtake. */
export function assertCanWait(where: string, { newer, orderBy }: DefinitionParts): void {
  if (newer !== 'wait' || orderBy === undefined) return;
  throw new ConfigurationError(
    `${where}: a message that waits would be overtaken, so newer cannot be 'wait' with orderBy`,
  );
}

/** What each of {@link ValidationOptions} may be. */
export const validationKinds: OptionKinds<ValidationOptions> = { publish: aBoolean, handle: aBoolean };

/** A schema of any library. */
export const aSchema: OptionKind = { told: 'a Standard Schema', fits: isSchema };

const { group: _group, ...policyKinds } = topicKinds;

/** What each option of a definition may be. */
export const definitionKinds: OptionKinds<DefinitionOptions<never> & { schema?: unknown }> = {
  ...policyKinds,
  schema: aSchema,
  key: aFunction,
  newer: oneOf('wait', 'dead-letter'),
  validate: optionsOf(validationKinds),
  description: aString,
};

/** The same of a request. */
export const requestKinds: OptionKinds<
  RequestDefinitionOptions<never> & { schema?: unknown; reply?: unknown }
> = {
  ...definitionKinds,
  reply: aSchema,
  requestTimeout: aDuration,
};

/** The same of a next version. */
export const versionKinds: OptionKinds<DefinitionOptions<never> & { schema?: unknown; upgrade?: unknown }> = {
  ...definitionKinds,
  upgrade: aFunction,
};

/** What stands in a definition; unchecked types, as the bus reads it. */
export interface DefinitionParts extends DefinitionOptions<any> {
  readonly schema?: StandardSchemaV1;
  readonly reply?: StandardSchemaV1;
  readonly requestTimeout?: Duration;
}
