import type { StandardSchemaV1 } from '@standard-schema/spec';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import {
  assertCanWait,
  type DefinitionParts,
  type VersionOptions,
  versionKinds,
} from './definition-options.js';
import type { Arrives } from './received.js';
import type { TopicOptions } from './topic-options.js';

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

  /** @internal */
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
export function newerOf(definition: Definition): 'wait' | 'dead-letter' {
  const { newer, orderBy } = definition.parts;
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
    const whole = { ...this.parts, ...parts };
    assertCanWait(where, whole);
    return TopicDefinition.make(this.name, number, whole, {
      definition: this,
      upgrade,
    });
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

/** Topics and requests by names of your choice: a plain object that a package can share. */
export type Contract = Readonly<Record<string, Definition>>;
