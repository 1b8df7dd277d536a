import type { StandardSchemaV1 } from '@standard-schema/spec';
import { assertOptions } from '../errors/assert-options.js';
import type { OptionKinds } from '../errors/option-kinds.js';
import { assertTopic } from '../message/topic.js';
import { RequestDefinition, TopicDefinition } from './definition.js';
import {
  assertCanWait,
  type DefinitionOptions,
  type DefinitionParts,
  definitionKinds,
  type RequestDefinitionOptions,
  requestKinds,
  type SchemaOptions,
} from './definition-options.js';
import type { Arrives, Received, ReplyArrives } from './received.js';

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
    assertTopic(name),
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
    assertTopic(name),
    checked(`defineRequest("${name}")`, options, requestKinds),
  );
}

function checked<Parts extends DefinitionParts>(
  where: string,
  options: Parts,
  kinds: OptionKinds<any>,
): Parts {
  assertOptions(where, options, kinds);
  assertCanWait(where, options);
  return Object.freeze({ ...options });
}
