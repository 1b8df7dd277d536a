import { startRedis } from './redis.mjs';

/** What a suite is given: how hard to try, a Redis of its own, and where to say what it is doing. */
export class Bench {
  #open = [];

  constructor({ quick, say }) {
    this.quick = quick;
    this.say = say;
    /** Interleaved rounds per case. */
    this.rounds = quick ? 2 : 5;
    /** Seconds that one run should take. */
    this.seconds = quick ? 0.3 : 1.5;
  }

  /** A redis-server for this suite; stopped by `close`. */
  async redis() {
    return this.closing(await startRedis());
  }

  /** Stops `resource` when the suite is over. */
  closing(resource) {
    this.#open.push(resource);
    return resource;
  }

  /** Stops everything, the youngest first. */
  async close() {
    for (const resource of this.#open.splice(0).reverse()) await resource.stop();
  }

  /** How many messages fill a run, judged by two shorter ones that also warm the processes up. `flood` resolves with a rate. */
  async countFor(flood) {
    const { perSecond: cold } = await flood(2_000);
    const { perSecond } = await flood(Math.max(2_000, Math.round(cold * this.seconds)));
    return Math.max(2_000, Math.round(perSecond * this.seconds));
  }
}
