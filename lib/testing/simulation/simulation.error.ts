/** What went wrong in a run. */
export type SimulationFailure = 'start' | 'act' | 'invariant' | 'settled' | 'rest' | 'step';

/** What a {@link SimulationError} tells. */
export interface SimulationReport {
  readonly seed: number;
  readonly stepsRun: number;
  readonly failure: SimulationFailure;
  readonly story: readonly string[];
  readonly cause: unknown;
  readonly repeatable: boolean;
}

const told: Record<SimulationFailure, string> = {
  start: 'An instance does not start',
  act: 'An act fails',
  invariant: 'The invariant does not hold',
  settled: 'What is to hold once all is handled does not',
  rest: 'The application does not come to rest',
  step: 'A step fails',
};

/** A simulation has found a fault. Its message holds the seed and the story; its cause is what was thrown. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  /** Give it to `simulate` with the same options: the same happens again. */
  readonly seed: number;
  /** How many steps of that seed it took. */
  readonly stepsRun: number;
  /** What failed. */
  readonly failure: SimulationFailure;
  /** The shortest one found, a step in each line. */
  readonly story: readonly string[];
  /** False where the same steps went well when they were repeated: something depends on real time, or on chance without the seed. */
  readonly repeatable: boolean;

  constructor({ seed, stepsRun, failure, story, cause, repeatable }: SimulationReport) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const head = `${told[failure]}: ${reason}\nSeed ${seed}, after ${stepsRun} steps. The shortest story:`;
    const lines = story.map((line, index) => `  ${index + 1}. ${line}`);
    const end = repeatable
      ? []
      : [
          'The story could not be repeated: the application uses real time, real input and output, or chance without the seed',
        ];
    super([head, ...lines, ...end].join('\n'), { cause });
    this.seed = seed;
    this.stepsRun = stepsRun;
    this.failure = failure;
    this.story = story;
    this.repeatable = repeatable;
  }
}
