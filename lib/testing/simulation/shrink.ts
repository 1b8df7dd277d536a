import type { PlannedStep } from './plan.js';
import type { RunOutcome } from './simulated-run.js';

/** Steps that fail, and what came of them. */
export interface Failing {
  readonly steps: readonly PlannedStep[];
  readonly outcome: RunOutcome;
}

/** Leaves out as many steps as it can, in halves at first, so that the rest still fails in the same way; in at most `runs` runs. */
export async function shrink(
  failing: Failing,
  runs: number,
  run: (steps: readonly PlannedStep[]) => Promise<RunOutcome>,
): Promise<Failing> {
  let shortest = failing;
  let left = runs;
  const without = async (from: number, to: number): Promise<boolean> => {
    left--;
    const steps = shortest.steps.filter((_, index) => index < from || index >= to);
    const outcome = await run(steps);
    if (outcome.failed?.failure !== failing.outcome.failed?.failure) return false;
    shortest = { steps: steps.slice(0, outcome.stepsRun), outcome };
    return true;
  };
  for (let size = Math.ceil(shortest.steps.length / 2); size >= 1; ) {
    let removed = false;
    for (
      let end = shortest.steps.length;
      end > 0 && left > 0;
      end = Math.min(end - size, shortest.steps.length)
    ) {
      if (await without(Math.max(0, end - size), end)) removed = true;
    }
    if (left <= 0 || (size === 1 && !removed)) return shortest;
    size = Math.max(1, removed && size === 1 ? 1 : Math.floor(size / 2));
  }
  return shortest;
}
