import type { ModuleRef } from '@nestjs/core';
import { subscribeKinds } from '../../bus/options/bus-option-kinds.js';
import type { HandlerSubscribeOptions } from '../../bus/options/bus-options.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aString, type OptionKinds, oneOf } from '../../errors/option-kinds.js';
import { assertTopicOrPattern } from '../../message/topic-pattern.js';
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
  readonly options: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory;
}

const subscriptions = new MethodMarks<SubscribeMetadata>('disco-bus:subscriptions');

/**
 * Calls the method for every message of a topic, or of all topics that a pattern matches. On any provider or controller;
 * several on one method are several subscriptions. The method gets `(payload, context)`, or what `@DiscoPayload` and
 * `@DiscoContext` say. Returning means handled, throwing means failed; a Promise or Observable is awaited to its end.
 * Guards, pipes, interceptors and filters apply, global ones included, with `context.getType() === 'disco'` and
 * `context.getArgs()` being `[payload, context]`: one that is meant for HTTP alone must look at the type.
 * A guard that refuses fails the message. A filter is shown what the method threw, and may throw another Error; it cannot undo
 * the failure. `enhancers` leaves global ones out, or all.
 * Throws TopicInvalidError for a malformed topic, and ConfigurationError for an option that there is not, and on what is no
 * method of instances.
 */
export function DiscoSubscribe(
  topicOrPattern: string,
  options: DiscoSubscribeOptions | DiscoSubscribeOptionsFactory = {},
): MethodDecorator {
  assertTopicOrPattern(topicOrPattern);
  if (typeof options !== 'function') assertHandlerOptions(topicOrPattern, options);
  const metadata: SubscribeMetadata = { topic: topicOrPattern, options };
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
