import type { DynamicModule, Type } from '@nestjs/common';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { busSubstitution } from '../../nest/bus-substitution.js';
import { plan } from './plan.js';
import { shrink } from './shrink.js';
import { SimulatedRun } from './simulated-run.js';
import { SimulationError } from './simulation.error.js';
import { type SimulateOptions, type SimulationSettings, simulationSettings } from './simulation-options.js';

/** What a simulation that found no fault has done. */
export interface SimulationResult {
  readonly seed: number;
  readonly steps: number;
  /** What happened, a step in each line: the same for the same seed. */
  readonly story: readonly string[];
  /** How long it took on the virtual clock, milliseconds. */
  readonly virtualMs: number;
}

/** Simulations of one process take turns: they share its source of chance. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs several instances of an application in this process, on one virtual clock and one broker in memory, and lets them crash, messages
 * come twice, late and out of order, and locks be lost, all as drawn from a seed. Rejects with a SimulationError as soon as the
 * invariant does not hold, an act fails, or the application does not come to rest: its message holds the seed, and the shortest
 * story found. Bad options are a ConfigurationError.
 *
 * Every bus that `DiscoBusModule` makes uses that broker, clock and no metrics, whatever its options say of `url`, `driver`, `clock`,
 * `bundling`, `metrics`, `logger` and `lock.store`.
 */
export async function simulate<World = any>(
  module: Type<unknown> | DynamicModule,
  options: SimulateOptions<World>,
): Promise<SimulationResult> {
  const settings = simulationSettings(module, options as SimulateOptions);
  if (busSubstitution.getStore()) throw new ConfigurationError('simulate: it was called within a simulation');
  const result = last.then(() => simulated(settings));
  last = result.catch(() => {});
  return result;
}

async function simulated(settings: SimulationSettings): Promise<SimulationResult> {
  const run = (steps: ReturnType<typeof plan>) => new SimulatedRun(settings).run(steps);
  const steps = plan(settings);
  const outcome = await run(steps);
  const { seed } = settings;
  const { failed, story, virtualMs, stepsRun } = outcome;
  if (failed === undefined) return { seed, steps: settings.steps, story, virtualMs };
  if (failed.cause instanceof ConfigurationError && failed.failure === 'start') throw failed.cause;
  const failing = { steps: steps.slice(0, stepsRun), outcome };
  if (settings.shrink === 0)
    throw new SimulationError({ seed, stepsRun, ...failed, story, repeatable: true });
  const again = await run(failing.steps);
  const repeatable = again.failed?.failure === failed.failure && again.stepsRun === stepsRun;
  const shortest = repeatable ? await shrink(failing, settings.shrink, (some) => run([...some])) : failing;
  const end = shortest.outcome;
  const told = { story: end.story, cause: end.failed?.cause, failure: failed.failure };
  throw new SimulationError({ seed, stepsRun, ...told, repeatable });
}
