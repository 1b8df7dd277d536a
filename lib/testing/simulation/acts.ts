import type { Clock } from '../../timing/clock.js';
import type { SimulatedProcess } from './simulated-process.js';
import type { SimulationSettings, SimulationStep } from './simulation-options.js';

interface Running {
  readonly process: SimulatedProcess;
  readonly number: number;
  readonly sinceMs: number;
}

/** What the user's acts still do, and what has become of them. */
export class Acts {
  private readonly running = new Set<Running>();
  private readonly failures: { readonly process: SimulatedProcess; readonly error: unknown }[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly settings: SimulationSettings,
  ) {}

  begin(process: SimulatedProcess, step: SimulationStep): void {
    const running = { process, number: step.number, sinceMs: this.clock.monotonic() };
    this.running.add(running);
    const ended = () => this.running.delete(running);
    void (async () => this.settings.act(step))().then(ended, (error) => {
      ended();
      this.failures.push({ process, error });
    });
  }

  /** What runs, in words. */
  pending(): string[] {
    this.forgetCrashed();
    return Array.from(this.running, ({ number }) => `the act of step ${number} runs`);
  }

  /** Throws what an act has failed with, and where one takes too long. */
  check(): void {
    this.forgetCrashed();
    const failure = this.failures.find(({ process }) => process.alive);
    if (failure) throw failure.error;
    const { withinMs } = this.settings;
    const lateMs = this.clock.monotonic() - withinMs;
    const late = [...this.running].find(({ sinceMs }) => sinceMs < lateMs);
    if (!late) return;
    throw new Error(`The act of step ${late.number} has not ended within ${withinMs} ms of virtual time`);
  }

  /** Their acts never end. */
  private forgetCrashed(): void {
    for (const act of this.running) if (!act.process.alive) this.running.delete(act);
  }
}
