import 'reflect-metadata';
import type { ModuleRef } from '@nestjs/core';
import type { HandlerSubscribeOptions } from '../../bus/bus-options.js';
import { assertTopicOrPattern } from '../../message/topic-pattern.js';
import { defaultParams } from './disco-params.decorator.js';

/** How a method is subscribed; what is absent comes from the bus's `topics` table, then from its `defaults`. */
export interface DiscoSubscribeOptions extends HandlerSubscribeOptions {
  /** The name of the bus. @default 'default' */
  bus?: string;
}

/** Makes options when the application starts. `moduleRef` is that of the module the method's class belongs to. */
export type DiscoSubscribeOptionsFactory = (
  moduleRef: ModuleRef,
) => DiscoSubscribeOptions | Promise<DiscoSubscribeOptions>;

/** One `@DiscoSubscribe` of a method. */
export interface SubscribeMetadata {
  readonly topic: string;
  readonly options: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory;
}

const SUBSCRIPTIONS = 'disco-bus:subscriptions';

/**
 * Calls the method for every message of a topic, or of all topics that a pattern matches. On any provider or controller;
 * several on one method are several subscriptions. The method gets `(payload, context)`, or what `@DiscoPayload` and
 * `@DiscoContext` say. Returning means handled, throwing means failed; a Promise or Observable is awaited to its end.
 * Guards, pipes, interceptors and filters apply, global ones included, with `context.getType() === 'disco'` and
 * `context.getArgs()` being `[payload, context]`: one that is meant for HTTP alone must look at the type.
 * A guard that refuses fails the message; a filter that does not throw has handled it.
 * Throws TopicInvalidError for a malformed topic.
 */
export function DiscoSubscribe(
  topicOrPattern: string,
  options: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory = {},
): MethodDecorator {
  const metadata: SubscribeMetadata = { topic: assertTopicOrPattern(topicOrPattern), options };
  return (target, method) => {
    const others: SubscribeMetadata[] = Reflect.getOwnMetadata(SUBSCRIPTIONS, target, method) ?? [];
    Reflect.defineMetadata(SUBSCRIPTIONS, [metadata, ...others], target, method);
    defaultParams(target, method);
  };
}

/** The `@DiscoSubscribe`s of a method, in the order written. They belong to the class that declares the method last. */
export function subscriptionsOf(prototype: object, method: string): readonly SubscribeMetadata[] {
  for (let owner = prototype; owner !== null; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, method)) return Reflect.getOwnMetadata(SUBSCRIPTIONS, owner, method) ?? [];
  }
  return [];
}
