import { setTimeout as pause } from 'node:timers/promises';
import { nowUs, percentile } from './statistics.mjs';

const TTL_MS = 10_000;

/** A worker that takes locks. `acquire(key, ttlMs, retryDelayMs)` waits for a lock and resolves with the function that releases it. */
export class Locker {
  constructor(acquire) {
    this.acquire = acquire;
  }

  /** `inFlight` lanes take and release a key of their own, for `seconds`; `p50` is how long a pair takes, in µs. */
  async uncontended({ seconds, inFlight }) {
    const took = [];
    const measured = await this.measure(seconds, inFlight, async (lane) => {
      const startUs = nowUs();
      const release = await this.acquire(`bench:${lane}`, TTL_MS, 50);
      await release();
      took.push(nowUs() - startUs);
    });
    return { ...measured, p50: percentile(Float64Array.from(took).sort(), 0.5) };
  }

  /** `waiters` lanes work under one common key, and pause between: whoever let go has to stand in line again. */
  contended({ seconds, waiters, sectionMs, pauseMs, retryDelayMs }) {
    let inside = 0;
    return this.measure(seconds, waiters, async () => {
      const release = await this.acquire('bench:common', TTL_MS, retryDelayMs);
      if (++inside > 1) throw new Error('Two hold the lock at once');
      await pause(sectionMs);
      inside--;
      await release();
      await pause(pauseMs);
    });
  }

  async measure(seconds, lanes, turn) {
    const cpu = process.cpuUsage();
    const startUs = nowUs();
    const endUs = startUs + seconds * 1e6;
    let count = 0;
    const lane = async (index) => {
      while (nowUs() < endUs) {
        await turn(index);
        if (nowUs() < endUs) count++;
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
    const { user, system } = process.cpuUsage(cpu);
    return { count, cpuUs: user + system };
  }
}
