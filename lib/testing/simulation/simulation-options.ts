import type { INestApplicationContext } from '@nestjs/common';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import {
  aDuration,
  aFunction,
  aNumber,
  type OptionKinds,
  options as within,
} from '../../errors/option-kinds.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import type { SimulatedInstance } from './simulated-instance.js';

/** How often each fault is drawn, beside `act`, whose weight is 10. 0: never. */
export interface SimulationFaults {
  /** An instance dies: what it had in hand goes to the others, its locks run out. A new one starts after as many steps, or at once where none is left. @default 1 */
  crash?: number;
  /** The broker hands out once more what an instance has in hand. @default 1 */
  redeliver?: number;
  /** A message that was published a short time ago is stored a second time. @default 1 */
  duplicate?: number;
  /** An instance and the broker do not hear of each other for up to `maxDelay`. @default 1 */
  delay?: number;
  /** A message comes only behind those that were published after it. @default 1 */
  reorder?: number;
  /** A lock is lost, and its holder is not told. @default 1 */
  loseLock?: number;
}

/** One step of the user's own. */
export interface SimulationStep<World = any> {
  /** From 1. */
  readonly number: number;
  /** What the option `world` has made for this run. */
  readonly world: World;
  /** The one that is to do something; alive when the step begins. */
  readonly instance: SimulatedInstance<World>;
  /** As {@link SimulatedInstance.random}. */
  random(): number;
  /** What the step does, for the story: `'pays order 7'`. */
  say(what: string): void;
}

/** What is simulated, how long, and what has to hold. */
export interface SimulateOptions<World = any> {
  /** Something that happens to the application, through one of its instances. It need not be awaited by anything: the next step begins while it runs. What it rejects with fails the run, unless its instance has crashed. */
  act: (step: SimulationStep<World>) => unknown;
  /** Copies of the application at a time, 1 to 20. @default 3 */
  instances?: number;
  /** The same seed gives the same story. 0 to 4,294,967,295. @default 1 */
  seed?: number;
  /** 1 to 1,000,000. @default 1_000 */
  steps?: number;
  /** What goes wrong. @default every fault with its weight */
  faults?: SimulationFaults;
  /** Makes what outlives every instance: databases, counters. Called for each run, those that shorten the story included. @default an empty object */
  world?: () => World | Promise<World>;
  /** Makes an instance, where providers are to be replaced. Initializing it is optional. @default an application context of the module */
  start?: (instance: SimulatedInstance<World>) => INestApplicationContext | Promise<INestApplicationContext>;
  /** Throws, or rejects, where something is wrong. Checked after each step and while the application comes to rest. @default nothing is checked */
  invariant?: (world: World, instances: readonly SimulatedInstance<World>[]) => unknown;
  /** The same, once all is handled: nothing is waiting, running or due. @default nothing is checked */
  settled?: (world: World, instances: readonly SimulatedInstance<World>[]) => unknown;
  /** The longest way from an instance to the broker, or back, in virtual time. @default '10ms' */
  latency?: Duration;
  /** The longest time that the fault `delay` takes. @default '5s' */
  maxDelay?: Duration;
  /** How long, in virtual time, an `act` may run, and the application may need to come to rest. @default '30m' */
  within?: Duration;
  /** How many runs the search for a shorter story may take; 0 tells the whole story. @default 300 */
  shrink?: number;
}

const faultKinds: OptionKinds<SimulationFaults> = {
  crash: aNumber,
  redeliver: aNumber,
  duplicate: aNumber,
  delay: aNumber,
  reorder: aNumber,
  loseLock: aNumber,
};

const simulateKinds: OptionKinds<SimulateOptions> = {
  act: aFunction,
  instances: aNumber,
  seed: aNumber,
  steps: aNumber,
  faults: within(faultKinds),
  world: aFunction,
  start: aFunction,
  invariant: aFunction,
  settled: aFunction,
  latency: aDuration,
  maxDelay: aDuration,
  within: aDuration,
  shrink: aNumber,
};

/** Options with nothing left open. */
export interface SimulationSettings {
  readonly module: unknown;
  readonly instances: number;
  readonly seed: number;
  readonly steps: number;
  readonly faults: Required<SimulationFaults>;
  readonly latencyMs: number;
  readonly maxDelayMs: number;
  readonly withinMs: number;
  readonly shrink: number;
  readonly act: SimulateOptions['act'];
  readonly world: NonNullable<SimulateOptions['world']>;
  readonly start: SimulateOptions['start'];
  readonly invariant: NonNullable<SimulateOptions['invariant']>;
  readonly settled: NonNullable<SimulateOptions['settled']>;
}

const usualFaults = { crash: 1, redeliver: 1, duplicate: 1, delay: 1, reorder: 1, loseLock: 1 };
const nothing = () => {};

/** Throws ConfigurationError for what cannot be simulated. */
export function simulationSettings(module: unknown, given: SimulateOptions): SimulationSettings {
  if ((typeof module !== 'function' && typeof module !== 'object') || module === null) {
    throw new ConfigurationError(`simulate: the first argument must be a module, not ${String(module)}`);
  }
  if (given === undefined) throw new ConfigurationError('simulate: the options need an act, a function');
  assertOptions('simulate', given, simulateKinds);
  if (given.act === undefined) throw new ConfigurationError('simulate.act must be a function, not undefined');
  const { instances = 3, seed = 1, steps = 1_000, shrink = 300, world = () => ({}) } = given;
  const faults = { ...usualFaults, ...given.faults };
  for (const [name, weight] of Object.entries(faults)) {
    if (weight >= 0) continue;
    throw new ConfigurationError(`simulate.faults.${name} must be a number from 0, not ${weight}`);
  }
  return {
    module,
    act: given.act,
    instances: whole('instances', instances, [1, 20]),
    seed: whole('seed', seed, [0, 2 ** 32 - 1]),
    steps: whole('steps', steps, [1, 1_000_000]),
    shrink: whole('shrink', shrink, [0, 100_000]),
    faults,
    world,
    start: given.start,
    invariant: given.invariant ?? nothing,
    settled: given.settled ?? nothing,
    latencyMs: toMilliseconds(given.latency ?? '10ms', 'simulate.latency', { minMs: 1 }),
    maxDelayMs: toMilliseconds(given.maxDelay ?? '5s', 'simulate.maxDelay', { minMs: 1 }),
    withinMs: toMilliseconds(given.within ?? '30m', 'simulate.within', { minMs: 1 }),
  };
}

function whole(name: string, value: number, [least, most]: readonly [number, number]): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ConfigurationError(
    `simulate.${name} must be a whole number from ${least} to ${most}, not ${value}`,
  );
}
