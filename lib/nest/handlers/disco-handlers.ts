import { Injectable } from '@nestjs/common';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { SettingOutcome } from '../../driver/steering.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { UnknownHandlerError } from '../../errors/handler.errors.js';
import { aString, type OptionKinds } from '../../errors/option-kinds.js';
import { HandlerRegistrar, type PlacedHandler } from './handler-registrar.js';

/** One `@DiscoSubscribe` of this process. */
export interface HandlerStatus {
  /** `Class.method`. A method that is subscribed several times has one entry for each. */
  readonly name: string;
  /** The name of its bus. */
  readonly bus: string;
  /** The topic or topic pattern. */
  readonly topic: string;
  readonly delivery: DeliveryGuarantee;
  /** The consumer group; undefined for what is delivered at most once. */
  readonly group?: string;
  /** Messages that it handles at a time in this process, of batches how many batches. */
  readonly concurrency: number;
  /** False until its subscription is live, as while there is no connection yet. */
  readonly live: boolean;
  /** No message of it starts in this process: paused here, or its group by operators. */
  readonly paused: boolean;
  /** Messages that it handles right now in this process. */
  readonly running: number;
}

/** Which subscriptions of a handler are meant, and who wants it. */
export interface HandlerOptions {
  /** Only the one on this topic or topic pattern. @default all subscriptions of the method */
  topic?: string;
  /** For the log and the audit. @default the service's name */
  by?: string;
}

/** What became of one subscription of a handler in all processes. */
export interface HandlerOutcome extends SettingOutcome {
  readonly topic: string;
  readonly group: string;
}

const optionKinds: OptionKinds<HandlerOptions> = { topic: aString, by: aString };

/**
 * The methods with `@DiscoSubscribe`, by their names: injectable wherever `DiscoBusModule` is imported. Calls throw, or reject,
 * with UnknownHandlerError for a name that no handler of this process has.
 */
@Injectable()
export class DiscoHandlers {
  /** @internal */
  constructor(private readonly registrar: HandlerRegistrar) {}

  /** All of this process, in the order in which they were found: what the log lists at the start. */
  list(): HandlerStatus[] {
    return this.registrar.handlers.map(statusOf);
  }

  /**
   * Starts no message of the handler in this process until `resume`; what runs goes on, and other processes too. Before it is
   * live it begins paused.
   */
  pause(name: string, options: Pick<HandlerOptions, 'topic'> = {}): void {
    for (const handler of this.named('pause', name, options)) handler.pause();
  }

  /** Goes on in this process, unless operators have paused the group. */
  resume(name: string, options: Pick<HandlerOptions, 'topic'> = {}): void {
    for (const handler of this.named('resume', name, options)) handler.resume();
  }

  /**
   * Pauses the handler's group in all processes, as `bus.admin.pauseGroup` does, also after a restart: every handler of that group
   * and topic is paused. Rejects with ConfigurationError, nothing done, for a handler at most once, which has no group, and
   * for one of a topic pattern, whose topics are paused one by one.
   */
  pauseEverywhere(name: string, options: HandlerOptions = {}): Promise<HandlerOutcome[]> {
    return this.everywhere('pauseEverywhere', name, options);
  }

  /** Lets the handler's group go on in all processes. Rejects as `pauseEverywhere` does. */
  resumeEverywhere(name: string, options: HandlerOptions = {}): Promise<HandlerOutcome[]> {
    return this.everywhere('resumeEverywhere', name, options);
  }

  private async everywhere(
    call: 'pauseEverywhere' | 'resumeEverywhere',
    name: string,
    options: HandlerOptions,
  ): Promise<HandlerOutcome[]> {
    const { by } = options;
    const handlers = this.named(call, name, options);
    for (const handler of handlers) assertSteerable(call, handler);
    const steered = handlers.map(async ({ bus, declared: { topic, group } }) => {
      const { admin } = bus.service;
      const outcome =
        call === 'pauseEverywhere'
          ? await admin.pauseGroup(topic, group, { by })
          : await admin.resumeGroup(topic, group, { by });
      return { topic, group, ...outcome };
    });
    return Promise.all(steered);
  }

  private named(call: string, name: string, options: HandlerOptions): PlacedHandler[] {
    assertOptions(call, options, optionKinds);
    const { handlers } = this.registrar;
    const found = handlers.filter(({ handler }) => handler.label === name);
    if (found.length === 0)
      throw new UnknownHandlerError(
        name,
        handlers.map(({ handler }) => handler.label),
      );
    const { topic } = options;
    if (topic === undefined) return found;
    const meant = found.filter(({ declared }) => declared.topic === topic);
    if (meant.length > 0) return meant;
    const topics = found.map(({ declared }) => `"${declared.topic}"`).join(', ');
    throw new ConfigurationError(
      `${call}: ${name} is subscribed to ${topics}, not to ${JSON.stringify(topic)}`,
    );
  }
}

function statusOf({ handler, bus, declared, paused, subscription }: PlacedHandler): HandlerStatus {
  const { topic, group, delivery, concurrency } = declared;
  return {
    name: handler.label,
    bus: bus.name,
    topic,
    delivery,
    ...(delivery === 'at-least-once' && { group }),
    concurrency,
    live: subscription !== undefined,
    paused: subscription?.paused ?? paused,
    running: subscription?.running ?? 0,
  };
}

function assertSteerable(call: string, { handler, declared: { topic, delivery } }: PlacedHandler): void {
  const { label } = handler;
  if (delivery === 'at-most-once') {
    throw new ConfigurationError(
      `${call}: ${label} is subscribed to "${topic}" at most once, and so has no group; pause() and resume() are for this process`,
    );
  }
  if (/[*>]/.test(topic)) {
    throw new ConfigurationError(
      `${call}: ${label} is subscribed to the pattern "${topic}"; its topics are paused one by one, by bus.admin.pauseGroup`,
    );
  }
}
