import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aDuration, aList, checkedElsewhere, type OptionKinds, oneOf } from '../../errors/option-kinds.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import type { HealthStatus } from './health-report.js';

/** From which value on something is degraded, and from which it is down. A value alone is the one of `degraded`. */
export type Threshold<Value> = Value | { readonly degraded?: Value; readonly down?: Value };

/** Which buses are meant, and what an outage of the server means. */
export interface ReadinessOptions {
  /** Names of buses. @default all of the application */
  buses?: readonly string[];
  /**
   * What a bus is that was connected and has lost its connection. `down` takes every process that shares the server out of its
   * load balancer at once. @default 'degraded'
   */
  whenDisconnected?: 'degraded' | 'down';
}

/** From when on something is wrong. What is not named has no threshold. */
export interface HealthOptions extends ReadinessOptions {
  /** Messages that wait for a group. */
  waiting?: Threshold<number>;
  /** Age of the oldest message of a group that is not handled. */
  oldest?: Threshold<Duration>;
  /** Dead letters of a group. */
  deadLetters?: Threshold<number>;
  /** How long the server takes to answer. */
  roundTrip?: Threshold<Duration>;
  /** Topics to look at, with all their groups, up to 1,000. @default the groups that this process reads; of a topic pattern in the first 1,000 topics by name */
  topics?: readonly string[];
  /** No answer takes longer. What was not seen by then is told as the problem `no-answer`. @default '2s' */
  timeout?: Duration;
}

/** Both values, in numbers; infinite where there is none. */
export interface Limits {
  readonly degraded: number;
  readonly down: number;
}

/** {@link HealthOptions}, checked and complete; durations in milliseconds. */
export interface ResolvedHealthOptions {
  readonly buses: readonly string[] | undefined;
  readonly whenDisconnected: HealthStatus;
  readonly topics: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly limits: Readonly<Record<'waiting' | 'oldest' | 'deadLetters' | 'roundTrip', Limits>>;
}

const readinessKinds: OptionKinds<ReadinessOptions> = {
  buses: aList,
  whenDisconnected: oneOf('degraded', 'down'),
};

const healthKinds: OptionKinds<HealthOptions> = {
  ...readinessKinds,
  waiting: checkedElsewhere,
  oldest: checkedElsewhere,
  deadLetters: checkedElsewhere,
  roundTrip: checkedElsewhere,
  topics: aList,
  timeout: aDuration,
};

/** Throws ConfigurationError for what is malformed. */
export function resolveReadinessOptions(
  where: string,
  options: ReadinessOptions,
): Pick<ResolvedHealthOptions, 'buses' | 'whenDisconnected'> {
  assertOptions(where, options, readinessKinds);
  const { buses, whenDisconnected = 'degraded' } = options;
  return { buses, whenDisconnected };
}

/** Throws ConfigurationError for what is malformed. */
export function resolveHealthOptions(where: string, options: HealthOptions): ResolvedHealthOptions {
  assertOptions(where, options, healthKinds);
  const { buses, whenDisconnected = 'degraded', topics, timeout = '2s' } = options;
  if (topics !== undefined && topics.length > 1_000)
    throw new ConfigurationError(`${where}: at most 1,000 topics can be looked at, not ${topics.length}`);
  return {
    buses,
    whenDisconnected,
    topics,
    timeoutMs: toMilliseconds(timeout, `${where}.timeout`, { minMs: 1 }),
    limits: {
      waiting: limits(`${where}.waiting`, options.waiting, aCount),
      oldest: limits(`${where}.oldest`, options.oldest, toMilliseconds),
      deadLetters: limits(`${where}.deadLetters`, options.deadLetters, aCount),
      roundTrip: limits(`${where}.roundTrip`, options.roundTrip, toMilliseconds),
    },
  };
}

function limits(
  where: string,
  threshold: Threshold<any> | undefined,
  read: (value: any, name: string) => number,
): Limits {
  const both: { degraded?: unknown; down?: unknown } =
    typeof threshold === 'object' ? threshold : { degraded: threshold };
  if (both === null) throw new ConfigurationError(`${where} must be a value or { degraded, down }, not null`);
  assertOptions(where, both, { degraded: checkedElsewhere, down: checkedElsewhere });
  const number = (name: 'degraded' | 'down') => {
    const value = both[name];
    return value === undefined ? Number.POSITIVE_INFINITY : read(value, `${where}.${name}`);
  };
  const degraded = number('degraded');
  const down = number('down');
  if (both.degraded === undefined || degraded <= down) return { degraded, down };
  throw new ConfigurationError(`${where}: degraded must not be more than down`);
}

function aCount(value: number, where: string): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw new ConfigurationError(`${where} must be a number from 0, not ${JSON.stringify(value)}`);
}
