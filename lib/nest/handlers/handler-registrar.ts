import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { errorLine } from '../../bus/bus-logger.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { type BusEntry, BusRegistry } from '../bus-registry.js';
import { DEFAULT_BUS } from '../disco-bus.tokens.js';
import { assertNoSharedGroup, type PlacedHandler } from './handler-conflicts.js';
import { type FoundHandler, HandlerExplorer } from './handler-explorer.js';
import { HandlerRunner } from './handler-runner.js';

/** Subscribes the methods with `@DiscoSubscribe` when the application starts. */
@Injectable()
export class HandlerRegistrar implements OnApplicationBootstrap {
  private readonly logger = new Logger('DiscoBus');

  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly registry: BusRegistry,
    private readonly runner: HandlerRunner,
  ) {}

  /**
   * Resolves when all are live. Those of a bus that still has no connection follow as soon as it has one; what is wrong
   * with them in itself is told at once, and leaves no bus running.
   */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.subscribeAll();
    } catch (error) {
      await this.registry.stop();
      throw error;
    }
  }

  private async subscribeAll(): Promise<void> {
    const placed = (await this.explorer.find())
      .map((handler) => ({ handler, bus: this.busOf(handler) }))
      .filter(({ bus }) => bus.registerHandlers && bus.service.bus !== undefined);
    assertNoSharedGroup(placed);
    const subscribing = placed.map((each) => ({ ...each, live: this.subscribe(each) }));
    const now = subscribing.filter(({ bus }) => bus.service.state !== 'connecting');
    const later = subscribing.filter(({ bus }) => bus.service.state === 'connecting');
    for (const each of later) this.tellFailure(each);
    await Promise.all(now.map(({ live }) => live));
    await Promise.race([Promise.all(later.map(({ live }) => live)), nextTurn()]);
  }

  private busOf({ label, options }: FoundHandler): BusEntry {
    const name = options.bus ?? DEFAULT_BUS;
    const bus = this.registry.get(name);
    if (bus) return bus;
    throw new ConfigurationError(
      `${label} is subscribed on the bus "${name}", but the application has ${this.registry.names.map((known) => `"${known}"`).join(', ')}`,
    );
  }

  private async subscribe({ handler, bus }: PlacedHandler): Promise<void> {
    const { bus: _name, ...options } = handler.options;
    await bus.service.bus.subscribe(handler.topic, this.runner.handlerFor(handler), options);
  }

  private tellFailure({ handler, live }: PlacedHandler & { live: Promise<void> }): void {
    live.catch((error) => {
      if (isDiscoBusError(error, 'DISCO_CLOSED')) return;
      this.logger.error(
        `${handler.label} could not be subscribed to "${handler.topic}": ${errorLine(error)}`,
      );
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
