import {
  type ConsumerDeserializer,
  type ConsumerSerializer,
  type IncomingRequest,
  type MessageHandler,
  RpcException,
} from '@nestjs/microservices';
import { isObservable, lastValueFrom, type Observable, Subscription as RxSubscription } from 'rxjs';
import { finalize } from 'rxjs/operators';
import { type ReplySink, ReplyStream } from '../bus/requests/reply-stream.js';
import { REPLY_TO_HEADER } from '../bus/requests/request-headers.js';
import type { TransportAccess } from '../bus/transport-access.js';
import { callGuest } from '../errors/guest.js';
import { isError } from '../errors/is-error.js';
import { topicMatcher } from '../message/topic-pattern.js';
import type { DiscoMessageContext } from '../middleware/message-context.js';
import { type Check, checkedAnswer, failing } from './checked-answer.js';
import { DiscoBusContext } from './disco-bus.context.js';
import { definitionIn } from './event-delivery.js';
import { incomingPacket, PACKET_HEADER, PATTERN_HEADER, readMetadata } from './packet.js';
import { isWildcard, routeOfTopic } from './pattern-topic.js';
import { decisiveFailure, payloadRefusal } from './pipe-failures.js';
import { ReplyPump } from './reply-pump.js';
import type { RequestLog, ToldRequest } from './request-log.js';
import { INTERNAL_ERROR, tellableFailure } from './tellable-failure.js';

/** What handler calls need of their server. */
export interface HandlerCallsHost {
  readonly transportId: unknown;
  /** Undefined where values are sent as they are. */
  readonly serializer: ConsumerSerializer | undefined;
  readonly deserializer: ConsumerDeserializer;
  /** Whether the deserializer is Nest's own, which has nothing to do here. */
  readonly readsPlainly: boolean;
  /** Whether somebody has set a processing hook. */
  hooked(): boolean;
  readonly log: RequestLog;
  readonly access: TransportAccess;
  onStart(transportId: unknown, context: DiscoBusContext, done: () => Promise<void>): unknown;
  onEnd(transportId: unknown, context: DiscoBusContext): unknown;
  toObservable(result: unknown): Observable<unknown>;
}

/** Calls Nest's handlers: from a message to the handler's result, within the processing hooks. */
export class HandlerCalls {
  constructor(private readonly host: HandlerCallsHost) {}

  /**
   * Resolves when the handler, and all that its Observable emits, has ended. Rejects with what it threw, whatever filters
   * made of that, unless one of them threw another Error on purpose.
   */
  async event(
    route: string,
    handler: MessageHandler,
    payload: unknown,
    context: DiscoMessageContext,
  ): Promise<void> {
    const { packet, host } = await this.read(route, payload, context);
    await this.within(host, async () => {
      try {
        const result = await handler(packet.data, host);
        if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
      } catch (thrown) {
        const { error } = DiscoBusContext.failureOf(host) ?? { error: thrown };
        throw asError(decisiveFailure(error, thrown));
      }
      const failure = DiscoBusContext.failureOf(host);
      if (failure) throw asError(decisiveFailure(failure.error, undefined));
    });
  }

  /** What answers requests of `route`. A message that asks for no reply is given up. */
  answering(
    route: string,
    handler: MessageHandler,
  ): (data: unknown, context: DiscoMessageContext) => unknown {
    const { access } = this.host;
    const own = definitionIn(handler.extras);
    if (own) access.definitionOf(own);
    return (payload, context) => {
      if (context.headers[REPLY_TO_HEADER] === undefined) return context.terminate('not a request');
      const { host } = this;
      const known = own ?? access.definitionOf(patternOf(route, context));
      const check =
        known && ((data: unknown) => access.checkIncoming(known, { ...context.message, payload: data }));
      if (!host.readsPlainly || host.serializer || context.headers[PACKET_HEADER] !== undefined) {
        return this.request(route, handler, { payload, check }, context);
      }
      const told = new DiscoBusContext([patternOf(route, context), context, readMetadata(context.headers)]);
      const answer = (data: unknown) =>
        host.hooked()
          ? this.replies(handler, { data } as IncomingRequest, told)
          : new ReplyStream((sink) => this.answerPlainly(sink, handler, data, told));
      return check ? checkedAnswer(check, payload, answer, this.refusing(told)) : answer(payload);
    };
  }

  /** The same where packets are read and written by what the application gave. */
  private async request(
    route: string,
    handler: MessageHandler,
    { payload, check = (data) => data }: { payload: unknown; check: Check | undefined },
    context: DiscoMessageContext,
  ): Promise<ReplyStream> {
    try {
      const { packet, host } = await this.read(route, payload, context);
      const answer = (data: unknown) => this.replies(handler, { ...packet, data }, host);
      return await checkedAnswer(check, packet.data, answer, this.refusing(host));
    } catch (error) {
      this.host.log.unreadable({ pattern: patternOf(route, context), message: context.message }, error);
      return failing(INTERNAL_ERROR);
    }
  }

  private refusing(told: DiscoBusContext): (error: unknown) => void {
    return (error) => this.host.log.refused(toldRequest(told), error);
  }

  private replies(handler: MessageHandler, packet: IncomingRequest, host: DiscoBusContext): ReplyStream {
    const start = (sink: ReplySink) => this.answer(sink, handler, packet, host);
    return new ReplyStream(start, this.host.serializer && { [PACKET_HEADER]: '1' });
  }

  /** Without hooks and serializers: a handler that does not stream costs no Observable. */
  private answerPlainly(
    sink: ReplySink,
    handler: MessageHandler,
    data: unknown,
    told: DiscoBusContext,
  ): (() => void) | undefined {
    let replies: RxSubscription | undefined;
    let stopped = false;
    const failed = (error: unknown) => this.failed(sink, told, error);
    const answered = (result: unknown) => {
      if (stopped) return;
      if (!isObservable(result)) answerOnce(sink, result);
      else replies = result.subscribe(this.pump(sink, told));
    };
    handler(data, told).then(answered, failed);
    return () => {
      stopped = true;
      replies?.unsubscribe();
    };
  }

  private answer(
    sink: ReplySink,
    handler: MessageHandler,
    packet: IncomingRequest,
    host: DiscoBusContext,
  ): () => void {
    const pump = this.pump(sink, host, this.host.serializer, packet.id);
    const replies = new RxSubscription();
    const work = async () => {
      const replies$ = this.host.toObservable(await handler(packet.data, host));
      await new Promise<void>((resolve) => {
        replies.add(resolve);
        replies.add(replies$.pipe(finalize(resolve)).subscribe(pump));
      });
    };
    this.within(host, work).catch((error) => this.failed(sink, host, error));
    return () => replies.unsubscribe();
  }

  private failed(sink: ReplySink, context: DiscoBusContext, error: unknown): void {
    this.host.log.failed(toldRequest(context), error);
    sink.fail(INTERNAL_ERROR);
  }

  private pump(
    sink: ReplySink,
    context: DiscoBusContext,
    serializer?: ConsumerSerializer,
    id?: unknown,
  ): ReplyPump {
    const { log } = this.host;
    return new ReplyPump(sink, serializer, id, {
      tellable: (thrown) => {
        const failure = DiscoBusContext.failureOf(context);
        const refusal = failure && payloadRefusal(failure.error);
        if (refusal) log.refused(toldRequest(context), refusal);
        return tellableFailure(thrown, refusal);
      },
      unwritten: (error) => log.unanswered(toldRequest(context), error),
    });
  }

  private async read(
    route: string,
    payload: unknown,
    context: DiscoMessageContext,
  ): Promise<{ packet: IncomingRequest; host: DiscoBusContext }> {
    const pattern = patternOf(route, context);
    const raw = incomingPacket(payload, context.message, pattern);
    const packet = (await this.host.deserializer.deserialize(raw, {
      channel: pattern,
    })) as IncomingRequest & {
      metadata?: Record<string, string>;
    };
    return { packet, host: new DiscoBusContext([pattern, context, packet.metadata]) };
  }

  /**
   * Runs `work` within the processing hooks, the end hook once, and settles as it does. A hook decides when the work
   * begins; that it fails is told to the bus alone, so that a hook which forgets it ends no process.
   */
  private within(context: DiscoBusContext, work: () => Promise<void>): Promise<void> {
    const { transportId } = this.host;
    return new Promise((resolve, reject) => {
      const done = async () => {
        try {
          await work();
          resolve();
        } catch (error) {
          reject(error);
        } finally {
          callGuest(this.host, 'The end hook', () => this.host.onEnd(transportId, context));
        }
      };
      Promise.resolve(this.host.onStart(transportId, context, done)).catch(reject);
    });
  }
}

function toldRequest(context: DiscoBusContext): ToldRequest {
  return { pattern: context.getPattern(), message: context.getMessage() };
}

function asError(error: unknown): Error {
  return isError(error) ? error : new RpcException(error as object | string);
}

function answerOnce(sink: ReplySink, result: unknown): void {
  if (result === undefined) sink.end();
  else sink.last(result);
}

/** The pattern that the client named. What it says of itself counts only if it is one that the handler is for. */
function patternOf(route: string, { headers, topic }: DiscoMessageContext): string {
  if (!isWildcard(route)) return route;
  const said = headers[PATTERN_HEADER];
  return said !== undefined && topicMatcher(route)(said) ? said : routeOfTopic(topic);
}
