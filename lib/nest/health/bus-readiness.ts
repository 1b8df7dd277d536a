import type { SubscriptionStatus } from '../../bus/consume/subscription-status.js';
import type { BusEntry } from '../bus-registry.js';
import type { ResolvedHealthOptions } from './health-options.js';
import type { BusHealth, HealthProblem } from './health-report.js';

/** Whether one bus can take work, right now. */
export class BusReadiness {
  /** Undefined of a stand-in, which is always ready. */
  private readonly actual: BusEntry['service']['bus'] | undefined;
  private readonly subscriptions: readonly SubscriptionStatus[];

  constructor(
    private readonly entry: BusEntry,
    private readonly options: Pick<ResolvedHealthOptions, 'whenDisconnected'>,
  ) {
    this.actual = entry.service.bus;
    this.subscriptions = this.actual?.subscriptions ?? [];
  }

  /** Nothing, where all is well. */
  problems(): HealthProblem[] {
    if (this.actual === undefined) return [];
    const { state, connected } = this.actual;
    if (state === 'draining' || state === 'closed') return [this.problem('closing', ` is ${state}`)];
    if (state !== 'ready') return [this.problem('not-started', ' was never connected')];
    const problems = this.subscriptions.filter(({ live }) => !live).map((each) => this.notLive(each));
    if (!connected) problems.push(this.disconnected());
    return problems;
  }

  bus(): BusHealth {
    const { name: bus } = this.entry;
    const [{ driver, connected, server }] = this.actual?.inspect.connections() ?? [
      { driver: 'stand-in', connected: true, server: undefined },
    ];
    const { length: handlers } = this.subscriptions;
    const live = this.subscriptions.filter((each) => each.live).length;
    return { bus, driver, connected, ...(server !== undefined && { server }), handlers, live };
  }

  private disconnected(): HealthProblem {
    return {
      ...this.problem('disconnected', ' has lost its connection'),
      status: this.options.whenDisconnected === 'down' ? 'down' : 'degraded',
    };
  }

  private notLive({ topic, group, handler }: SubscriptionStatus): HealthProblem {
    const where = { topic, ...(group !== undefined && { group }) };
    return { ...this.problem('not-live', `: ${handler} does not read "${topic}" yet`), ...where };
  }

  /** `text`: what stands behind the name of the bus. */
  private problem(problem: HealthProblem['problem'], text: string): HealthProblem {
    const { name: bus } = this.entry;
    return { bus, problem, status: 'down', text: `the bus "${bus}"${text}` };
  }
}
