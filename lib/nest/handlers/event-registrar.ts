import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { errorFields, errorLine, stackOf } from '../../bus/options/bus-logger.js';
import { LimitedLogger } from '../../bus/options/limited-logger.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { systemClock } from '../../timing/clock.js';
import { type BusEntry, BusRegistry } from '../bus-registry.js';
import { DEFAULT_BUS } from '../disco-bus.tokens.js';
import { nestLogger } from '../nest-logger.js';
import { HandlerExplorer, type HandlerMethod } from './handler-explorer.js';
import { type DiscoEvent, type EventMark, eventsOf } from './on-disco-event.decorator.js';

type Listener = Record<string, (event: DiscoEvent) => unknown>;

/** Has the methods with `@OnDiscoEvent` called. */
@Injectable()
export class EventRegistrar implements OnModuleInit {
  private readonly logger = new LimitedLogger(nestLogger(new Logger('DiscoBus')), systemClock);

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
    const stop = bus?.onStatus((status) => {
      if (types.has(status.type)) void this.call(label, status, () => listener[method](status));
      if (status.type === 'state' && status.state === 'closed') stop?.();
    });
  }

  private async call(label: string, { type }: DiscoEvent, call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      const text = `${label} failed on the event "${type}": ${errorLine(error)}${stackOf(error)}`;
      this.logger.error(text, { event: 'event-listener-failed', handler: label, ...errorFields(error) });
    }
  }

  private busOf(label: string, { bus = DEFAULT_BUS }: EventMark): BusEntry {
    const found = this.registry.get(bus);
    if (found) return found;
    throw new ConfigurationError(
      `${label} listens to events of the bus "${bus}", but the application has ${this.registry.names.map((name) => `"${name}"`).join(', ')}`,
    );
  }
}
