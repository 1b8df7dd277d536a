import type { DiscoBus } from '../bus/disco-bus.js';
import { entriesOf, newerVersion } from '../contract/contracts.js';
import { type Contract, type Definition, isRequest } from '../contract/definition.js';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import {
  aFunction,
  aString,
  type OptionKinds,
  optionsByName,
  options as optionsOf,
} from '../errors/option-kinds.js';
import { isTopicPattern, topicMatcher } from '../message/topic-pattern.js';
import { Channels } from './channels.js';
import type { AsyncApiInfo, AsyncApiResult } from './document.js';
import type { JsonSchemaConverter } from './json-form.js';
import { type AsyncApiServerOptions, serverKinds, serverOf } from './servers.js';

/** What a document says beside its topics. */
export interface AsyncApiOptions {
  info: AsyncApiInfo;
  /** By names of your choice. @default none */
  servers?: Readonly<Record<string, AsyncApiServerOptions>>;
  /**
   * Makes the JSON Schema (draft 07) of what a schema takes, for a library that does not do so itself:
   * `(schema) => z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })`. What it answers with undefined is left to the
   * schema's own library.
   */
  jsonSchema?: JsonSchemaConverter;
}

const infoKinds: OptionKinds<AsyncApiInfo> = { title: aString, version: aString, description: aString };

const optionKinds: OptionKinds<AsyncApiOptions> = {
  info: optionsOf(infoKinds),
  servers: optionsByName(optionsOf(serverKinds)),
  jsonSchema: aFunction,
};

/**
 * The AsyncAPI 3.0 document of a contract alone: its topics with a message of each version, and its requests as whoever answers
 * them does. Who publishes or handles a topic is not known of a contract, so topics have no operations. Nothing is connected.
 * Rejects with ConfigurationError.
 */
export async function asyncApi(contract: Contract, options: AsyncApiOptions): Promise<AsyncApiResult> {
  assertAsked('asyncApi', options);
  const channels = new Channels(options.jsonSchema);
  for (const definition of newestOf(contract)) {
    const id = await channels.addTopic(definition);
    if (isRequest(definition)) await channels.addOperation('receive', id, [], definition);
  }
  return resultOf(channels, options);
}

/**
 * The document of a running application, by its bus or its `DiscoBusService`: it receives what it subscribes to right now, and
 * sends what else it has a definition of. Topics that it subscribes to without a definition stand there without a schema.
 * Rejects with ConfigurationError.
 */
export async function asyncApiOf(
  application: DiscoBus | { readonly bus: DiscoBus },
  options: AsyncApiOptions,
): Promise<AsyncApiResult> {
  assertAsked('asyncApiOf', options);
  const bus = 'bus' in application ? application.bus : application;
  const subscriptions = bus.subscriptions.filter(({ own }) => !own);
  const channels = new Channels(options.jsonSchema);
  const handlersOf = (topic: string) =>
    subscriptions
      .filter((subscription) => topicMatcher(subscription.topic)(topic))
      .map(({ handler, group, delivery, concurrency, ...each }) => {
        const pattern = isTopicPattern(each.topic) && { pattern: each.topic };
        return { handler, ...(group !== undefined && { group }), ...pattern, delivery, concurrency };
      });
  for (const definition of bus.definitions) {
    const id = await channels.addTopic(definition);
    const handlers = handlersOf(definition.name);
    await channels.addOperation(handlers.length > 0 ? 'receive' : 'send', id, handlers, definition);
  }
  const known = bus.definitions.map(({ name }) => name);
  for (const topic of new Set(subscriptions.map((each) => each.topic))) {
    if (known.some(topicMatcher(topic))) continue;
    if (isTopicPattern(topic)) channels.warnOfPattern(topic);
    else await channels.addOperation('receive', channels.addUndefined(topic), handlersOf(topic));
  }
  return resultOf(channels, options);
}

function assertAsked(where: string, options: AsyncApiOptions): void {
  assertOptions(where, options, optionKinds);
  for (const field of ['title', 'version'] as const)
    if (typeof options?.info?.[field] !== 'string')
      throw new ConfigurationError(`${where}: info.${field} must be a string`);
}

/** The newest version of each topic of a contract. */
function newestOf(contract: Contract): Iterable<Definition> {
  const newest = new Map<string, Definition>();
  for (const [, definition] of entriesOf(contract)) {
    const { name } = definition;
    newest.set(name, newerVersion(newest.get(name), definition));
  }
  return newest.values();
}

function resultOf(channels: Channels, { info, servers = {} }: AsyncApiOptions): AsyncApiResult {
  const named = Object.entries(servers).map(([name, server]) => [name, serverOf(name, server)]);
  const document = {
    asyncapi: '3.0.0' as const,
    info,
    defaultContentType: 'application/json',
    ...(named.length > 0 && { servers: Object.fromEntries(named) }),
    channels: Object.fromEntries(channels.channels),
    operations: Object.fromEntries(channels.operations),
    components: {
      messages: Object.fromEntries(channels.messages),
      schemas: Object.fromEntries(channels.schemas),
    },
  };
  return { document, warnings: channels.warnings };
}
