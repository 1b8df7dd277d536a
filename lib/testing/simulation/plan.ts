import { seededRandom } from '../seeded-random.js';
import type { SimulationFaults, SimulationSettings } from './simulation-options.js';

/** What one step is. `start`: an instance takes the place of one that has crashed. `wait`: time passes. */
export type StepKind = keyof SimulationFaults | 'act' | 'start' | 'wait';

/** One step to be: what, and the seed of all that is drawn in it, so that it stays as it is where others are left out. */
export interface PlannedStep {
  readonly kind: StepKind;
  readonly seed: number;
}

const ACT_WEIGHT = 10;
const WAIT_WEIGHT = 1;

/** The steps of a seed: those of a longer run begin with those of a shorter one. */
export function plan({ seed, steps, faults }: SimulationSettings): PlannedStep[] {
  const random = seededRandom(seed);
  const weights = Object.entries({ act: ACT_WEIGHT, wait: WAIT_WEIGHT, start: faults.crash, ...faults });
  return Array.from({ length: steps }, () => {
    const kind = weighted(weights, random()) as StepKind;
    return { kind, seed: Math.floor(random() * 2 ** 31) };
  });
}

/** The one in whose share `at`, from 0 to 1, falls. */
function weighted(weights: readonly (readonly [string, number])[], at: number): string {
  let left = at * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of weights) {
    if (left < weight) return name;
    left -= weight;
  }
  return weights[0][0];
}
