import { Injectable } from '@nestjs/common';
import { type BusEntry, BusRegistry } from '../bus-registry.js';
import { BusChecker } from './bus-checker.js';
import { BusReadiness } from './bus-readiness.js';
import {
  type HealthOptions,
  type ReadinessOptions,
  resolveHealthOptions,
  resolveReadinessOptions,
} from './health-options.js';
import { type HealthReport, type Readiness, worstOf } from './health-report.js';

/**
 * Says how the buses of the application are: injectable wherever `DiscoBusModule` is imported. The `DiscoBusHealthIndicator`
 * of `nestjs-disco-bus/terminus` puts its answers into Terminus.
 */
@Injectable()
export class DiscoHealth {
  /** @internal */
  constructor(private readonly registry: BusRegistry) {}

  /**
   * Whether the application can take work; asks nobody and never rejects. `down`: a bus was never connected, a handler is not
   * live yet, or the application drains. `degraded`: the connection is lost, see `whenDisconnected`; what waits does not
   * matter. Throws ConfigurationError for malformed options and for a bus that there is not.
   */
  readiness(options: ReadinessOptions = {}): Readiness {
    const resolved = resolveReadinessOptions('readiness', options);
    const looked = this.entries(resolved.buses).map((entry) => new BusReadiness(entry, resolved));
    const problems = looked.flatMap((each) => each.problems());
    return { status: worstOf(problems), problems, buses: looked.map((each) => each.bus()) };
  }

  /**
   * The same, with how quickly the server answers and what waits, by `bus.inspect`. Takes `timeout` at most and never rejects
   * for what it finds; a server that does not answer in time is `down`, save where it is away as `whenDisconnected` says.
   * A threshold alone makes nothing `down`. Throws as `readiness` does.
   */
  async check(options: HealthOptions = {}): Promise<HealthReport> {
    const resolved = resolveHealthOptions('check', options);
    const checking = this.entries(resolved.buses).map((entry) => new BusChecker(entry, resolved).check());
    const checked = await Promise.all(checking);
    const problems = checked.flatMap((each) => each.problems);
    return { status: worstOf(problems), problems, buses: checked.map(({ bus }) => bus) };
  }

  private entries(names: readonly string[] | undefined): BusEntry[] {
    const { registry } = this;
    return (names ?? registry.names).map((name) =>
      registry.named(name, `There is no bus ${JSON.stringify(name)};`),
    );
  }
}
