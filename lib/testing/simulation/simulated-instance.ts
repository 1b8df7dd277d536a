import type { Abstract, INestApplicationContext, Type } from '@nestjs/common';
import type { Clock } from '../../timing/clock.js';
import type { Duration } from '../../timing/duration.js';

/**
 * One running copy of the application in a simulation. Its providers can inject it, and are not given it outside of a simulation: inject
 * it with `@Optional()` there.
 */
export abstract class SimulatedInstance<World = any> {
  /** From 1; one that starts in the place of a crashed one has the next number. */
  abstract readonly number: number;
  /** What the option `world` has made for this run. */
  abstract readonly world: World;
  /** False once it has crashed. Code of its own that still runs then has to stop by itself: a simulation cannot stop it. */
  abstract readonly alive: boolean;
  /** The virtual clock of the run. Timers of a crashed instance never fire. */
  abstract readonly clock: Clock;
  /** The application. Throws ConfigurationError while it is being made. */
  abstract readonly app: INestApplicationContext;

  /** A provider of the application, from any of its modules. */
  abstract get<T>(provider: Type<T> | Abstract<T> | string | symbol): T;

  /** A number from 0 to 1, the same whenever the run is repeated: use it in place of `Math.random`. */
  abstract random(): number;

  /** Resolves after that long on the virtual clock; never, where the instance crashes before. */
  abstract pause(duration: Duration): Promise<void>;
}
