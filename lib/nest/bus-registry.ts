import { Injectable } from '@nestjs/common';
import { ConfigurationError } from '../errors/bus.errors.js';
import { systemClock } from '../timing/clock.js';
import { toMilliseconds } from '../timing/duration.js';
import type { DiscoBusService } from './disco-bus.service.js';
import type { Enhancers } from './handlers/disco-subscribe.decorator.js';
import { RunningWork } from './locks/running-work.js';
import type { DiscoBusFactoryOptions } from './module-options.js';

/** A bus of the application, and what the Nest ring must know of it. */
export interface BusEntry {
  readonly name: string;
  readonly service: DiscoBusService;
  readonly registerHandlers: boolean;
  /** Of handlers that do not say so. */
  readonly enhancers: Enhancers;
  /** The methods that run under its locks. */
  readonly work: RunningWork;
  readonly shutdownTimeoutMs: number;
}

/** The buses of one application. */
@Injectable()
export class BusRegistry {
  private readonly entries = new Map<string, BusEntry>();

  /** Throws ConfigurationError for a second bus of the same name. */
  add(name: string, service: DiscoBusService, options: DiscoBusFactoryOptions): BusEntry {
    if (this.entries.has(name)) {
      throw new ConfigurationError(
        `Two buses of the application are named "${name}"; import one DiscoBusModule.forRoot() once, and name further ones`,
      );
    }
    const { registerHandlers = true, enhancers = 'all' } = options;
    const entry = {
      name,
      service,
      registerHandlers,
      enhancers,
      work: new RunningWork(options.clock ?? systemClock),
      shutdownTimeoutMs: toMilliseconds(options.shutdownTimeout ?? '10s', 'shutdownTimeout'),
    };
    this.entries.set(name, entry);
    return entry;
  }

  get(name: string): BusEntry | undefined {
    return this.entries.get(name);
  }

  /** Throws ConfigurationError with `refusal`, and the buses that there are, for one that there is not. */
  named(name: string, refusal: string): BusEntry {
    const entry = this.entries.get(name);
    if (entry) return entry;
    const known = this.names.map((each) => `"${each}"`).join(', ');
    throw new ConfigurationError(`${refusal} the application has ${known}`);
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  /**
   * Ends the reading of all buses and waits for their handlers, and for methods that hold a lock; they can still publish.
   * A stand-in without a bus is left alone.
   */
  async drain(): Promise<void> {
    const drained = [...this.entries.values()].map(({ service, work, shutdownTimeoutMs }) =>
      Promise.all([service.bus?.drain(), work.idle(shutdownTimeoutMs)]),
    );
    await Promise.all(drained);
  }

  /** Ends all buses, when the application cannot start. */
  async stop(): Promise<void> {
    await Promise.all([...this.entries.values()].map(({ service }) => service.bus && service.stop()));
  }
}
