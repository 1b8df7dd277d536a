import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type BusLogger, errorFields, errorLine, stackOf } from '../../bus/options/bus-logger.js';
import { transportAccess } from '../../bus/transport-access.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { type BusEntry, BusRegistry } from '../bus-registry.js';
import { DEFAULT_BUS } from '../disco-bus.tokens.js';
import { HandlerExplorer, type HandlerMethod } from './handler-explorer.js';
import { type DiscoEvent, type EventMark, eventsOf } from './on-disco-event.decorator.js';

type Listener = Record<string, (event: DiscoEvent) => unknown>;

/** Has the methods with `@OnDiscoEvent` called. */
@Injectable()
export class EventRegistrar implements OnModuleInit {
  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly registry: BusRegistry,
  ) {}

  /** Before any bus connects. */
  onModuleInit(): void {
    for (const { handler, metadata } of this.explorer.methodsWith(eventsOf)) this.attach(handler, metadata);
  }

  private attach({ label, method, instance }: HandlerMethod, mark: EventMark): void {
    const { bus } = this.busOf(label, mark).service;
    if (instance === undefined) {
      throw new ConfigurationError(
        `${label} has @OnDiscoEvent, but its class is made for each request or consumer: an event is none; put it on a provider of the default scope`,
      );
    }
    const types = new Set<string>(mark.types);
    const listener = instance as Listener;
    // A stand-in for the bus has no events.
    if (bus === undefined) return;
    const { logger } = transportAccess(bus);
    const stop = bus.onStatus((status) => {
      if (types.has(status.type)) void called(label, status, () => listener[method](status), logger);
      if (status.type === 'state' && status.state === 'closed') stop();
    });
  }

  private busOf(label: string, { bus = DEFAULT_BUS }: EventMark): BusEntry {
    return this.registry.named(bus, `${label} listens to events of the bus "${bus}", but`);
  }
}

/** Calls a listener, and tells where it failed. */
async function called(
  label: string,
  { type }: DiscoEvent,
  call: () => unknown,
  logger: BusLogger,
): Promise<void> {
  try {
    await call();
  } catch (error) {
    const text = `${label} failed on the event "${type}": ${errorLine(error)}${stackOf(error)}`;
    logger.error(text, { event: 'event-listener-failed', handler: label, ...errorFields(error) });
  }
}
