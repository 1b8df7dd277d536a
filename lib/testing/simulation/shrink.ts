import type { PlannedStep } from './plan.js';
import type { RunOutcome } from './simulated-run.js';

/** Steps that fail, and what came of them. */
export interface Failing {
  readonly steps: readonly PlannedStep[];
  readonly outcome: RunOutcome;
}

/**
 * Leaves out as many steps as it can, so that the rest still fails in the same way, in at most `runs` runs: all steps of a kind at first,
 * then halves, quarters and so on, down to each step alone.
 */
export async function shrink(
  failing: Failing,
  runs: number,
  run: (steps: readonly PlannedStep[]) => Promise<RunOutcome>,
): Promise<Failing> {
  let shortest = failing;
  let left = runs;
  const keep = async (kept: (step: PlannedStep, index: number) => boolean): Promise<boolean> => {
    const steps = shortest.steps.filter(kept);
    if (steps.length === shortest.steps.length || left-- <= 0) return false;
    const outcome = await run(steps);
    if (outcome.failed?.failure !== failing.outcome.failed?.failure) return false;
    shortest = { steps: steps.slice(0, outcome.stepsRun), outcome };
    return true;
  };
  for (const kind of new Set(failing.steps.map((step) => step.kind))) {
    await keep((step) => step.kind !== kind);
  }
  for (let size = Math.ceil(shortest.steps.length / 2); size >= 1 && left > 0; ) {
    let removed = false;
    for (let end = shortest.steps.length; end > 0; end = Math.min(end - size, shortest.steps.length)) {
      const from = Math.max(0, end - size);
      const to = end;
      if (await keep((_, index) => index < from || index >= to)) removed = true;
    }
    if (size === 1 && !removed) break;
    size = Math.max(1, Math.floor(size / 2));
  }
  return shortest;
}
