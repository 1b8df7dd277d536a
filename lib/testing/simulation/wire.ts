import type { InstanceClock } from './instance-clock.js';
import type { SimulatedWorld } from './simulated-world.js';

/** Nothing that waits for it goes on. */
const never = new Promise<never>(() => {});

/** What lies between one instance and the broker: everything that passes it takes its time, until it is cut. */
export class Wire {
  /** Nothing takes time: while the instance starts and ends. */
  calm = true;
  /** The instance has crashed. */
  cut = false;
  /** Nothing passes before this, on the monotonic clock. */
  blockedUntilMs = 0;
  /** When the last thing has passed: nothing overtakes it, as on one connection. */
  private lastMs = 0;

  constructor(
    readonly instance: string,
    readonly clock: InstanceClock,
    readonly world: SimulatedWorld,
  ) {}

  /** How long the next thing takes, milliseconds. */
  takes(): number {
    if (this.calm) return 0;
    const nowMs = this.clock.monotonic();
    const usualMs = nowMs + 1 + this.world.upTo(this.world.latencyMs);
    this.lastMs = Math.max(usualMs, this.blockedUntilMs, this.lastMs);
    return this.lastMs - nowMs;
  }

  /** Resolves once something has passed; never where the instance crashes before. */
  pass(takesMs = this.takes()): Promise<void> {
    if (this.cut) return never;
    if (takesMs === 0) return Promise.resolve();
    return new Promise((resolve) => this.clock.setTimeout(resolve, takesMs));
  }

  /** The crashed instance tries something: it is told, and stays without an answer. */
  afterlife(what: string): Promise<never> {
    this.world.story.tell(`${this.instance}, which has crashed, tries to ${what}: nothing happens`);
    return never;
  }
}
