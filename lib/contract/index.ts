// For packages that share contracts: loads no driver, no bus and nothing of Nest.

export { defineRequest, defineTopic } from './define.js';
export type { Contract, Definition, RequestDefinition, TopicDefinition } from './definition.js';
export type {
  DefinitionOptions,
  RequestDefinitionOptions,
  SchemaOptions,
  ValidationOptions,
  VersionOptions,
} from './definition-options.js';
export type { Arrives, Jsonified, Received, ReplyArrives, Unwritable, WrittenKey } from './received.js';
export type { BacklogOptions, RetryOptions, TopicOptions, WireName } from './topic-options.js';
