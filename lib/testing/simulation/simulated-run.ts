import { drawFrom } from '../../timing/chance.js';
import { Acts } from './acts.js';
import { Faults } from './faults.js';
import { inRealTime } from './in-real-time.js';
import type { PlannedStep, StepKind } from './plan.js';
import { atRest } from './rest.js';
import { SimulatedProcess } from './simulated-process.js';
import { SimulatedWorld } from './simulated-world.js';
import type { SimulationFailure } from './simulation.error.js';
import type { SimulationSettings } from './simulation-options.js';

/** What came of a run. */
export interface RunOutcome {
  readonly failed?: { readonly failure: SimulationFailure; readonly cause: unknown };
  /** Those that were begun. */
  readonly stepsRun: number;
  readonly story: readonly string[];
  readonly virtualMs: number;
}

/** Thrown within a run, with what failed. */
class Failed extends Error {
  constructor(
    readonly failure: SimulationFailure,
    override readonly cause: unknown,
  ) {
    super(failure);
  }
}

/** The longest that the step `wait` takes: the locks of a crashed instance run out in it sooner or later. */
const WAIT_MS = 120_000;
/** Every so many steps one takes longer than usual. */
const LONG_STEPS = 0.05;

/** One run of some steps, from the start of all instances until the application has come to rest. */
export class SimulatedRun {
  private readonly world: SimulatedWorld;
  private readonly faults: Faults;
  private readonly acts: Acts;
  private readonly processes: SimulatedProcess[] = [];
  private users: unknown;
  private stepsRun = 0;

  constructor(private readonly settings: SimulationSettings) {
    this.world = new SimulatedWorld(settings.seed, settings.latencyMs);
    this.faults = new Faults(this.world, settings.maxDelayMs);
    this.acts = new Acts(this.world.clock, settings);
  }

  /** Never rejects for what the application does. */
  async run(steps: readonly PlannedStep[]): Promise<RunOutcome> {
    const restore = drawFrom(this.world.random);
    try {
      const failed = await this.failureOf(steps);
      const { story, clock } = this.world;
      const outcome = { failed, story: story.lines, virtualMs: clock.monotonic() };
      await this.end();
      return { ...outcome, stepsRun: this.stepsRun };
    } finally {
      restore();
    }
  }

  private async failureOf(steps: readonly PlannedStep[]): Promise<Failed | undefined> {
    try {
      await this.begin();
      for (const step of steps) await this.step(step);
      await this.rest();
      return undefined;
    } catch (error) {
      return error instanceof Failed ? error : new Failed('step', error);
    }
  }

  private get alive(): SimulatedProcess[] {
    return this.processes.filter(({ alive }) => alive);
  }

  private async begin(): Promise<void> {
    this.users = await attempt('start', () => inRealTime(this.settings.world, 'The world is made'));
    for (let number = 1; number <= this.settings.instances; number++) await this.startOne();
  }

  private async startOne(): Promise<SimulatedProcess> {
    const process = new SimulatedProcess(this.processes.length + 1, this.world, this.users);
    this.processes.push(process);
    await attempt('start', () => process.start(this.settings));
    return process;
  }

  private async step({ kind, seed }: PlannedStep): Promise<void> {
    this.stepsRun++;
    this.world.reseed(seed);
    this.world.story.begin();
    await this.does(kind);
    const { world } = this;
    let forMs = world.upTo(5 * world.latencyMs);
    if (world.random() < LONG_STEPS) forMs = world.upTo(this.settings.maxDelayMs);
    await world.clock.advance(kind === 'wait' ? world.upTo(WAIT_MS) : forMs);
    await this.check();
  }

  private async does(kind: StepKind): Promise<void> {
    const { alive } = this;
    switch (kind) {
      case 'act':
        return this.act(alive);
      case 'crash':
        await this.faults.crash(alive);
        if (alive.length === 1) await this.replace();
        return;
      case 'start':
        if (alive.length < this.settings.instances) return this.replace();
        return this.world.story.title('nothing is to be started');
      case 'wait':
        return this.world.story.title('time passes');
      default:
        await this.faults[kind](alive);
    }
  }

  private async replace(): Promise<void> {
    const { name } = await this.startOne();
    this.world.story.tell(`${name} starts`);
  }

  private async act(alive: readonly SimulatedProcess[]): Promise<void> {
    const process = this.world.oneOf(alive)!;
    const { story, random } = this.world;
    story.title(`an act through ${process.name}`);
    const step = {
      number: this.stepsRun,
      world: this.users,
      instance: process.instance,
      random,
      say: (what: string) => story.title(`${process.name} ${what}`),
    };
    this.acts.begin(process, step);
  }

  private async check(): Promise<void> {
    await attempt('act', () => this.acts.check());
    await this.holds('invariant');
  }

  private async holds(what: 'invariant' | 'settled'): Promise<void> {
    const instances = this.alive.map(({ instance }) => instance);
    const check = () => this.settings[what](this.users, instances);
    await attempt(what, () => inRealTime(check, `The check "${what}" runs`));
  }

  /** No fault happens any more, and everything ends. */
  private async rest(): Promise<void> {
    this.world.overtaken = 0;
    for (const { wire } of this.alive) wire.blockedUntilMs = 0;
    await attempt('rest', () =>
      atRest({
        clock: this.world.clock,
        withinMs: this.settings.withinMs,
        buses: () => this.alive.flatMap(({ buses }) => buses),
        acts: this.acts,
        check: () => this.check(),
      }),
    );
    await this.holds('settled');
  }

  /** Applications that still live are closed: what they have open is their own. */
  private async end(): Promise<void> {
    for (const process of this.alive) await process.close();
    await this.world.close();
  }
}

async function attempt<T>(failure: SimulationFailure, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Failed ? error : new Failed(failure, error);
  }
}
