import type { INestApplicationContext, Type } from '@nestjs/common';
import { ConfigurationError } from '../../errors/bus.errors.js';
import type { Clock } from '../../timing/clock.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import type { Wire } from './wire.js';

/**
 * One running copy of the application in a simulation. Its providers can inject it, and are not given it outside of a simulation: inject
 * it with `@Optional()`.
 */
export class SimulatedInstance<World = any> {
  private application: INestApplicationContext | undefined;

  /** Made by `simulate`. */
  constructor(
    /** From 1; one that starts in the place of a crashed one has the next number. */
    readonly number: number,
    /** What the option `world` has made for this run. */
    readonly world: World,
    private readonly wire: Wire,
  ) {}

  /** False once it has crashed. Code of its own that still runs then has to stop by itself: a simulation cannot stop it. */
  get alive(): boolean {
    return !this.wire.cut;
  }

  /** The virtual clock of the run. Timers of a crashed instance never fire. */
  get clock(): Clock {
    return this.wire.clock;
  }

  /** The application. Throws ConfigurationError while it is being made. */
  get app(): INestApplicationContext {
    if (this.application) return this.application;
    throw new ConfigurationError(`SimulatedInstance.app: instance ${this.number} is still being made`);
  }

  /** A provider of the application, from any of its modules. */
  get<T>(provider: Type<T> | string | symbol): T {
    return this.app.get<T>(provider, { strict: false });
  }

  /** A number from 0 to 1, the same whenever the run is repeated: use it in place of `Math.random`. */
  random(): number {
    return this.wire.world.random();
  }

  /** Resolves after that long on the virtual clock; never, where the instance crashes before. */
  pause(duration: Duration): Promise<void> {
    return this.wire.pass(Math.max(1, toMilliseconds(duration, 'SimulatedInstance.pause')));
  }

  /** @internal */
  async close(): Promise<void> {
    await this.application?.close();
  }

  /** @internal */
  started(application: INestApplicationContext): void {
    this.application = application;
  }
}
