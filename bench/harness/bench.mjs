import { startRedis } from './redis.mjs';
import { startRedisCluster } from './redis-cluster.mjs';

/** What a suite is given: how hard to try, a Redis of its own, and where to say what it is doing. */
export class Bench {
  #open = [];

  constructor({ quick, say }) {
    this.quick = quick;
    this.say = say;
    /** Interleaved rounds per case. */
    this.rounds = quick ? 1 : 5;
    /** Seconds that one run should take. */
    this.seconds = quick ? 0.2 : 1.5;
  }

  /** A redis-server for this suite; stopped by `close`. */
  async redis() {
    const redis = this.closing(await startRedis());
    /** The version of Redis that is measured on. */
    this.version = await redis.version();
    return redis;
  }

  /** A Redis Cluster of three primaries for this suite; stopped by `close`. */
  async cluster() {
    return this.closing(await startRedisCluster());
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

  /**
   * How many messages fill a run, or such a `share` of one, judged by two shorter ones that also warm the processes up.
   * `flood` resolves with a rate. A quick run is not worth that: it takes a number that ends soon with anybody.
   */
  async countFor(flood, share = 1) {
    if (this.quick) return 1_000;
    const seconds = this.seconds * share;
    const { perSecond: cold } = await flood(2_000);
    const { perSecond } = await flood(Math.max(2_000, Math.round(cold * seconds)));
    return Math.max(2_000, Math.round(perSecond * seconds));
  }
}
