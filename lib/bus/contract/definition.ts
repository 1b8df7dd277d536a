import type { StandardSchemaV1 } from '@standard-schema/spec';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import {
  aDuration,
  aFunction,
  aString,
  type OptionKinds,
  oneOf,
  options as optionsOf,
} from '../../errors/option-kinds.js';
import { assertTopic } from '../../message/topic.js';
import type { Duration } from '../../timing/duration.js';
import { aSchema, topicKinds, validationKinds } from '../options/bus-option-kinds.js';
import type { TopicOptions } from '../options/bus-options.js';
import type { Arrives, Received } from './received.js';

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

const { group: _group, ...policyKinds } = topicKinds;

const definitionKinds: OptionKinds<DefinitionOptions<never> & { schema?: unknown }> = {
  ...policyKinds,
  schema: aSchema,
  key: aFunction,
  newer: oneOf('wait', 'dead-letter'),
  validate: optionsOf(validationKinds),
  description: aString,
};

const requestKinds: OptionKinds<RequestDefinitionOptions<never> & { schema?: unknown; reply?: unknown }> = {
  ...definitionKinds,
  reply: aSchema,
  requestTimeout: aDuration,
};

const versionKinds: OptionKinds<DefinitionOptions<never> & { schema?: unknown; upgrade?: unknown }> = {
  ...definitionKinds,
  upgrade: aFunction,
};

/** What stands in a definition; unchecked types, as the bus reads it. */
export interface DefinitionParts extends DefinitionOptions<any> {
  readonly schema?: StandardSchemaV1;
  readonly reply?: StandardSchemaV1;
  readonly requestTimeout?: Duration;
}

/** An earlier version of a definition, and how its payloads become those of the next one. */
export interface Ancestor {
  readonly definition: Definition;
  readonly upgrade: (older: any) => unknown;
}

/** Also of another copy of this package, as a shared contract may bring one. */
const DEFINITION = Symbol.for('nestjs-disco-bus:definition');

/** Whether `value` is a topic or a request by {@link defineTopic} or {@link defineRequest}. */
export function isDefinition(value: unknown): value is Definition {
  return typeof value === 'object' && value !== null && (value as Definition)[DEFINITION] === true;
}

/** Whether a definition is one of {@link defineRequest}. */
export function isRequest(definition: Definition): definition is RequestDefinition {
  return 'reply' in definition;
}

/** A topic or a request as one value: name, type, policy and schema. */
export abstract class Definition {
  /** @internal */
  readonly [DEFINITION] = true;
  /** The topic's name. */
  readonly name: string;
  /** 1, or what `version` was told. */
  readonly versionNumber: number;
  /** @internal */
  readonly parts: DefinitionParts;
  /** @internal */
  readonly before: Ancestor | undefined;

  protected constructor(name: string, versionNumber: number, parts: DefinitionParts, before?: Ancestor) {
    this.name = name;
    this.versionNumber = versionNumber;
    this.parts = parts;
    this.before = before;
  }

  /** What its payloads are compared with; undefined where only a type is told. */
  get schema(): StandardSchemaV1 | undefined {
    return this.parts.schema;
  }

  /** What the bus does with its messages. */
  get policy(): TopicOptions {
    const { schema, reply, requestTimeout, key, newer, validate, description, ...policy } = this.parts;
    return policy;
  }

  /** This version and the earlier ones, the oldest first. */
  get lineage(): readonly Definition[] {
    return this.before === undefined ? [this] : [...this.before.definition.lineage, this];
  }
}

/** What `newer` means where it is not said. */
export function newerOf({ parts: { newer, orderBy } }: Definition): 'wait' | 'dead-letter' {
  return newer ?? (orderBy === undefined ? 'wait' : 'dead-letter');
}

/** A topic, typed: `Published` is what publishers give, `Handled` what handlers get. Made by {@link defineTopic}. */
export class TopicDefinition<Published = any, Handled = any> extends Definition {
  /** For types alone. */
  declare readonly '~types'?: { readonly published: (payload: Published) => void; readonly handled: Handled };

  /**
   * The next version: messages of earlier ones are upgraded on their way in, one version after the other. What is not said
   * again is as in this version; the guarantee, the wire and the order stay. Versions count up by one. Throws
   * ConfigurationError.
   */
  version<Schema extends StandardSchemaV1>(
    number: number,
    options: VersionOptions<Schema, Handled> & Arrives<StandardSchemaV1.InferInput<Schema>>,
  ): TopicDefinition<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>> {
    const where = `version ${number} of "${this.name}"`;
    if (number !== this.versionNumber + 1) {
      throw new ConfigurationError(
        `${where} comes after version ${this.versionNumber}: the next one is ${this.versionNumber + 1}`,
      );
    }
    assertOptions(where, options, versionKinds);
    const { upgrade, ...parts } = options as VersionOptions<Schema, Handled>;
    for (const option of ['schema', 'upgrade'] as const)
      if (options[option] === undefined) throw new ConfigurationError(`${where} needs ${option}`);
    for (const option of ['delivery', 'wire', 'orderBy'] as const) {
      if (parts[option] === undefined || parts[option] === this.parts[option]) continue;
      throw new ConfigurationError(`${where} cannot change ${option}: that is another topic`);
    }
    return TopicDefinition.make(
      this.name,
      number,
      { ...this.parts, ...parts },
      {
        definition: this,
        upgrade,
      },
    );
  }

  /** @internal */
  static make(name: string, version: number, parts: DefinitionParts, before?: Ancestor): TopicDefinition {
    return new TopicDefinition(name, version, parts, before);
  }
}

/**
 * A request, typed: `Asked` is what is sent, `Handled` what the handler gets, `Replied` what it returns, `Reply` what comes
 * back. Made by {@link defineRequest}.
 */
export class RequestDefinition<Asked = any, Handled = any, Replied = any, Reply = any> extends Definition {
  /** For types alone. */
  declare readonly '~types'?: {
    readonly published: (payload: Asked) => void;
    readonly handled: Handled;
    readonly replied: (reply: Replied) => void;
    readonly reply: Reply;
  };

  /** What replies are compared with; undefined where only a type is told. */
  get reply(): StandardSchemaV1 | undefined {
    return this.parts.reply;
  }

  /** @internal */
  static make(name: string, parts: DefinitionParts): RequestDefinition {
    return new RequestDefinition(name, 1, parts);
  }
}

/**
 * A topic as one value: its name, the type of its payloads, how it is delivered, what its key is. With a schema the type is the
 * schema's, and both ends compare payloads with it: `defineTopic('orders.created', { schema: Order, orderBy: 'key', key: (order) => order.id })`.
 * Without one the type is told: `defineTopic<Order>('orders.created')`; handlers then get what JSON makes of it. Throws
 * TopicInvalidError or ConfigurationError.
 */
export function defineTopic<Schema extends StandardSchemaV1>(
  name: string,
  options: SchemaOptions<Schema> & Arrives<StandardSchemaV1.InferInput<Schema>>,
): TopicDefinition<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>>;
export function defineTopic<Payload>(
  name: string,
  options?: DefinitionOptions<Payload> & { schema?: undefined },
): TopicDefinition<Payload, Received<Payload>>;
export function defineTopic(name: string, options: DefinitionParts = {}): TopicDefinition {
  return TopicDefinition.make(
    checkedName(name),
    1,
    checked(`defineTopic("${name}")`, options, definitionKinds),
  );
}

/**
 * A request as one value: its name, the types of payload and reply, how long to wait. With schemas both ends compare with
 * them: `defineRequest('prices.get', { schema: Item, reply: Price })`. Without, the types are told:
 * `defineRequest<Item, Price>('prices.get')`. Throws TopicInvalidError or ConfigurationError.
 */
export function defineRequest<Schema extends StandardSchemaV1, Reply extends StandardSchemaV1>(
  name: string,
  options: RequestDefinitionOptions<StandardSchemaV1.InferInput<Schema>> & {
    schema: Schema;
    reply: Reply;
  } & Arrives<StandardSchemaV1.InferInput<Schema>> &
    ReplyArrives<StandardSchemaV1.InferInput<Reply>>,
): RequestDefinition<
  StandardSchemaV1.InferInput<Schema>,
  StandardSchemaV1.InferOutput<Schema>,
  StandardSchemaV1.InferInput<Reply>,
  StandardSchemaV1.InferOutput<Reply>
>;
export function defineRequest<Asked, Replied>(
  name: string,
  options?: RequestDefinitionOptions<Asked> & { schema?: undefined; reply?: undefined },
): RequestDefinition<Asked, Received<Asked>, Replied, Received<Replied>>;
export function defineRequest(name: string, options: DefinitionParts = {}): RequestDefinition {
  return RequestDefinition.make(
    checkedName(name),
    checked(`defineRequest("${name}")`, options, requestKinds),
  );
}

type ReplyArrives<Input> = Arrives<Input> extends { schema: infer Said } ? { reply: Said } : unknown;

function checkedName(name: string): string {
  return assertTopic(name);
}

function checked<Parts extends DefinitionParts>(
  where: string,
  options: Parts,
  kinds: OptionKinds<any>,
): Parts {
  assertOptions(where, options, kinds);
  if (options.newer === 'wait' && options.orderBy !== undefined) {
    throw new ConfigurationError(
      `${where}: a message that waits would be overtaken, so newer cannot be 'wait' with orderBy`,
    );
  }
  return Object.freeze({ ...options });
}
