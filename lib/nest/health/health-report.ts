/** `degraded`: it works, and somebody should look. */
export type HealthStatus = 'up' | 'degraded' | 'down';

/** Something that is not as it should be. */
export interface HealthProblem {
  /** The name of the bus. */
  readonly bus: string;
  /**
   * `not-started`: it has never been connected. `disconnected`: it has lost its connection. `closing`: it drains or is closed.
   * `not-live`: a handler reads nothing yet. `no-answer`: the server has not answered in time, or refused. The others are thresholds.
   */
  readonly problem:
    | 'not-started'
    | 'disconnected'
    | 'closing'
    | 'not-live'
    | 'no-answer'
    | 'waiting'
    | 'oldest'
    | 'dead-letters'
    | 'round-trip';
  readonly status: Exclude<HealthStatus, 'up'>;
  /** The same in words. */
  readonly text: string;
  readonly topic?: string;
  readonly group?: string;
}

/** A group, as `bus.inspect` told of it. */
export interface GroupHealth {
  readonly topic: string;
  readonly group: string;
  readonly waiting: number;
  readonly held: number;
  readonly running: number;
  readonly retries: number;
  /** Messages in them. */
  readonly deadLetters: number;
  /** Age of the oldest message that is not handled, milliseconds. */
  readonly oldestMs?: number;
  readonly paused: boolean;
}

/** A bus, right now. */
export interface BusHealth {
  readonly bus: string;
  readonly driver: string;
  readonly connected: boolean;
  /** Where it is connected to, without credentials. */
  readonly server?: string;
  /** Handlers that are announced, and those of them that read. */
  readonly handlers: number;
  readonly live: number;
}

/** Whether the application can take work. */
export interface Readiness {
  /** The worst of all problems. */
  readonly status: HealthStatus;
  readonly problems: readonly HealthProblem[];
  readonly buses: readonly BusHealth[];
}

/** A bus, and how quickly its server answers. */
export interface ServerHealth extends BusHealth {
  /** Milliseconds; undefined where it did not answer. */
  readonly roundTripMs?: number;
  /** The groups that were looked at. */
  readonly groups: readonly GroupHealth[];
}

/** How the application and its groups are. */
export interface HealthReport extends Readiness {
  readonly buses: readonly ServerHealth[];
}

/** The worst status of these problems. */
export function worstOf(problems: readonly HealthProblem[]): HealthStatus {
  if (problems.some(({ status }) => status === 'down')) return 'down';
  return problems.length > 0 ? 'degraded' : 'up';
}
