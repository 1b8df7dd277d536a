import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import type { HandlerMethod } from '../bus/options/bus-options.js';
import {
  isDefinition,
  isRequest,
  type RequestDefinition,
  type TopicDefinition,
} from '../contract/definition.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import type { DiscoBusContext } from './disco-bus.context.js';
import { DISCO_BUS } from './disco-bus.server.js';
import { DEFINITION } from './event-delivery.js';
import type { DiscoEventExtras } from './transport-options.js';

/** A method of a controller that gets `Handled` and a {@link DiscoBusContext}, with `@Payload()` and `@Ctx()` in either order. */
export type PatternMethodDecorator<Handled, Result = unknown> = <
  Method extends HandlerMethod<Handled, DiscoBusContext, Result>,
>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** What the handler of a request may return to Nest. */
export type PatternReplies<Replied> = Replied | Observable<Replied> | Promise<Replied | Observable<Replied>>;

/** What one handler of a defined topic may say for itself. */
export type DefinedEventExtras = Omit<DiscoEventExtras, 'delivery' | 'wire' | 'orderBy'>;

/**
 * `@EventPattern` with a definition, for this transport alone: `@DiscoEventPattern(OrderCreated, { group: 'billing' })`. Payloads
 * are compared with the schema, and older versions upgraded, before guards and pipes see them. A method whose parameters do not
 * fit does not compile; `OrderCreated as TopicDefinition` fits all. Throws ConfigurationError for what is no topic, and for
 * extras that say otherwise than the definition.
 */
export function DiscoEventPattern<Handled>(
  topic: TopicDefinition<never, Handled>,
  extras: DefinedEventExtras = {},
): PatternMethodDecorator<Handled> {
  if (!isDefinition(topic) || isRequest(topic)) {
    throw new ConfigurationError('@DiscoEventPattern takes a topic made by defineTopic');
  }
  for (const option of ['delivery', 'wire', 'orderBy'] as const) {
    const said = (extras as DiscoEventExtras)[option];
    if (said === undefined || said === topic.parts[option]) continue;
    throw new ConfigurationError(
      `@DiscoEventPattern("${topic.name}") cannot change ${option}: the definition says it`,
    );
  }
  return EventPattern(topic.name, DISCO_BUS, {
    ...extras,
    [DEFINITION]: topic,
  }) as PatternMethodDecorator<Handled>;
}

/**
 * `@MessagePattern` with a definition, for this transport alone: `@DiscoMessagePattern(GetPrice)`. Payloads are compared with the
 * schema here, replies where they arrive. A method whose parameters or reply do not fit does not compile. Throws
 * ConfigurationError for what is no request.
 */
export function DiscoMessagePattern<Handled, Replied>(
  request: RequestDefinition<never, Handled, Replied>,
): PatternMethodDecorator<Handled, PatternReplies<Replied>> {
  if (!isDefinition(request) || !isRequest(request)) {
    throw new ConfigurationError('@DiscoMessagePattern takes a request made by defineRequest');
  }
  return MessagePattern(request.name, DISCO_BUS, { [DEFINITION]: request }) as PatternMethodDecorator<
    Handled,
    PatternReplies<Replied>
  >;
}
