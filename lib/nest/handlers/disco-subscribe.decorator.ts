import type { ModuleRef } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { DiscoBatchContext } from '../../bus/consume/batch.js';
import { subscribeKinds } from '../../bus/options/bus-option-kinds.js';
import type { BatchOptions, HandlerMethod, HandlerSubscribeOptions } from '../../bus/options/bus-options.js';
import type { Answers } from '../../bus/requests/reply-stream.js';
import {
  type Definition,
  isDefinition,
  type RequestDefinition,
  type TopicDefinition,
} from '../../contract/definition.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aString, type OptionKinds, oneOf } from '../../errors/option-kinds.js';
import { assertTopicOrPattern } from '../../message/topic-pattern.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { defaultParams } from './disco-params.decorator.js';
import { MethodMarks } from './method-marks.js';

/**
 * Which guards, pipes, interceptors and filters surround a message handler: `'all'`, the global ones included, which may be made
 * for HTTP; `'own'`, those of the method and its class; `false`, none. Pipes of single parameters apply in any case.
 */
export type Enhancers = 'all' | 'own' | false;

/** Throws ConfigurationError for what is none. */
export function assertEnhancers(enhancers: unknown): void {
  if (enhancers === undefined || [false, 'all', 'own'].includes(enhancers as Enhancers)) return;
  throw new ConfigurationError(`enhancers must be 'all', 'own' or false, not ${JSON.stringify(enhancers)}`);
}

/** How a method is subscribed; what is absent comes from the bus's `topics` table, then from its `defaults`. */
export interface DiscoSubscribeOptions extends HandlerSubscribeOptions {
  /** The name of the bus. @default 'default' */
  bus?: string;
  /** Which guards, pipes, interceptors and filters surround the method. @default what the bus's module says, else 'all' */
  enhancers?: Enhancers;
}

const handlerKinds: OptionKinds<DiscoSubscribeOptions> = {
  ...subscribeKinds,
  bus: aString,
  enhancers: oneOf('all', 'own', false),
};

/** Throws ConfigurationError for what a `@DiscoSubscribe` cannot be told. */
export function assertHandlerOptions(topic: string, options: DiscoSubscribeOptions): void {
  assertOptions(`@DiscoSubscribe("${topic}")`, options, handlerKinds);
}

/** Makes options when the application starts. `moduleRef` is that of the module the method's class belongs to. */
export type DiscoSubscribeOptionsFactory = (
  moduleRef: ModuleRef,
) => DiscoSubscribeOptions | Promise<DiscoSubscribeOptions>;

/** One `@DiscoSubscribe` of a method. */
export interface SubscribeMetadata {
  readonly topic: string;
  /** What the topic is subscribed with, where that is a definition. */
  readonly definition?: Definition;
  readonly options: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory;
}

const subscriptions = new MethodMarks<SubscribeMetadata>('disco-bus:subscriptions');

/** A method that takes single messages, `Handled` each. With `@DiscoPayload()` and `@DiscoContext()` in either order. */
export type HandlerMethodDecorator<Handled, Result = unknown> = <
  Method extends HandlerMethod<Handled, DiscoMessageContext<Handled>, Result>,
>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** A method that takes several messages at a time. */
export type BatchMethodDecorator<Handled> = <
  Method extends HandlerMethod<Handled[], DiscoBatchContext<Handled>>,
>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** What the handler of a request may return. One that returns undefined does not answer. */
export type Replies<Replied> = Answers<Replied> | Observable<Replied> | Promise<Observable<Replied>>;

/** {@link DiscoSubscribeOptions} of a handler of single messages. */
export type SingleSubscribeOptions = Omit<DiscoSubscribeOptions, 'batch'> & { batch?: undefined };

/**
 * Calls the method for every message of a topic, or of all topics that a pattern matches. On any provider or controller;
 * several on one method are several subscriptions. The method gets `(payload, context)`, or what `@DiscoPayload` and
 * `@DiscoContext` say. Returning means handled, throwing means failed; a Promise or Observable is awaited to its end.
 * Guards, pipes, interceptors and filters apply, global ones included, with `context.getType() === 'disco'` and
 * `context.getArgs()` being `[payload, context]`: one that is meant for HTTP alone must look at the type.
 * A guard that refuses fails the message. A filter is shown what the method threw, and may throw another Error; it cannot undo
 * the failure. `enhancers` leaves global ones out, or all.
 * With a definition, a method whose parameters do not fit its type does not compile; one that takes parts of the payload, as
 * `@DiscoPayload('customer.id')` does, is subscribed to `OrderCreated as TopicDefinition`, which fits all.
 * Throws TopicInvalidError for a malformed topic, and ConfigurationError for an option that there is not, and on what is no
 * method of instances.
 */
export function DiscoSubscribe<Handled, Replied = unknown>(
  topic: TopicDefinition<never, Handled> | RequestDefinition<never, Handled, Replied>,
  options?: SingleSubscribeOptions | DiscoSubscribeOptionsFactory,
): HandlerMethodDecorator<Handled, Replies<Replied>>;
export function DiscoSubscribe<Handled>(
  topic: TopicDefinition<never, Handled>,
  options: DiscoSubscribeOptions & { batch: BatchOptions },
): BatchMethodDecorator<Handled>;
export function DiscoSubscribe(
  topicOrPattern: string,
  options?: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory,
): MethodDecorator;
export function DiscoSubscribe(
  topicOrDefinition: string | Definition,
  options: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory = {},
): MethodDecorator {
  const definition = isDefinition(topicOrDefinition) ? topicOrDefinition : undefined;
  const topicOrPattern = assertTopicOrPattern(definition?.name ?? topicOrDefinition);
  if (typeof options !== 'function') assertHandlerOptions(topicOrPattern, options);
  const metadata: SubscribeMetadata = { topic: topicOrPattern, definition, options };
  return (target, method, descriptor: TypedPropertyDescriptor<any> | undefined) => {
    subscriptions.add(
      `@DiscoSubscribe(${JSON.stringify(topicOrPattern)})`,
      { target, method, descriptor },
      metadata,
    );
    defaultParams(target, method);
  };
}

/** The `@DiscoSubscribe`s of a method, in the order written. They belong to the class that declares the method last. */
export function subscriptionsOf(prototype: object, method: string): readonly SubscribeMetadata[] {
  return subscriptions.of(prototype, method);
}
