/** Something to be run when the present turn is over. */
export interface TurnTask {
  run(): void;
}

// Taken once, so that fake timers of a test that runs the driver do not hold deliveries back.
const { queueMicrotask, setImmediate } = globalThis;

/** Every so many rounds the event loop is let in, so that handlers that publish for ever do not starve it. */
const roundsPerLoop = 256;

/**
 * Runs tasks after the code that added them, in the order they were added, in one microtask for all that were added
 * meanwhile. A task added by a task runs in the next round.
 */
export class Turn {
  private tasks: TurnTask[] = [];
  private round = 0;
  private lettingIn = false;

  /**
   * Whether tasks wait for the event loop to be let in: whoever goes on adding meanwhile, without an end to its turn,
   * would pile them up.
   */
  get isHeldUp(): boolean {
    return this.lettingIn;
  }

  add(task: TurnTask): void {
    if (this.tasks.push(task) > 1) return;
    if (++this.round % roundsPerLoop === 0) {
      this.lettingIn = true;
      setImmediate(this.flush);
    } else queueMicrotask(this.flush);
  }

  private readonly flush = (): void => {
    const tasks = this.tasks;
    this.tasks = [];
    this.lettingIn = false;
    for (const task of tasks) task.run();
  };
}
