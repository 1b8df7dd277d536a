import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { errorLine } from '../bus/options/bus-logger.js';
import { DiscoHealth } from '../nest/health/disco-health.js';
import type { HealthOptions, ReadinessOptions } from '../nest/health/health-options.js';
import type { HealthProblem, Readiness } from '../nest/health/health-report.js';

/** What of a session of Terminus is used; version 11 has no `degraded`. */
type Session = Pick<ReturnType<HealthIndicatorService['check']>, 'up' | 'down'> &
  Partial<Pick<ReturnType<HealthIndicatorService['check']>, 'degraded'>>;

/**
 * The buses of an application for Terminus 11 and 12: a provider of the module that has your health controller. No method
 * rejects: whatever goes wrong is `down`, so that the answer is a 503 and never a 500. With Terminus 11, which knows no
 * `degraded`, such a result is `up` with `degraded: true`.
 */
@Injectable()
export class DiscoBusHealthIndicator {
  constructor(
    private readonly indicator: HealthIndicatorService,
    private readonly health: DiscoHealth,
  ) {}

  /** For the liveness probe: the process turns. The server, buses and backlogs never fail it, so that no outage restarts every process at once. */
  live<Key extends string>(key: Key): HealthIndicatorResult<Key> {
    return this.indicator.check(key).up();
  }

  /** For the readiness and startup probes, as {@link DiscoHealth.readiness}: asks nobody. */
  async ready<Key extends string>(
    key: Key,
    options: ReadinessOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    return this.told(key, () => this.health.readiness(options));
  }

  /** For people and alerts, as {@link DiscoHealth.check}: also what waits, by thresholds. Takes `timeout` at most. */
  async check<Key extends string>(
    key: Key,
    options: HealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    return this.told(key, () => this.health.check(options));
  }

  private async told<Key extends string>(
    key: Key,
    ask: () => Readiness | Promise<Readiness>,
  ): Promise<HealthIndicatorResult<Key>> {
    const session: Session = this.indicator.check(key);
    try {
      const { status, problems, buses } = await ask();
      const data = { ...(problems.length > 0 && { problems: problems.map(inWords) }), buses };
      if (status === 'down') return session.down(data) as HealthIndicatorResult<Key>;
      if (status === 'up') return session.up(data) as HealthIndicatorResult<Key>;
      return (session.degraded?.(data) ??
        session.up({ degraded: true, ...data })) as HealthIndicatorResult<Key>;
    } catch (error) {
      return session.down(errorLine(error)) as HealthIndicatorResult<Key>;
    }
  }
}

/** Under `problem` and not `status`, which Terminus keeps for itself. */
function inWords({ status, text, ...rest }: HealthProblem) {
  return { ...rest, severity: status, text };
}
