import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { full, report } from './fault-report.js';
import { SoakFaults } from './soak-faults.js';
import { SoakLoad } from './soak-load.js';

const seconds = full ? 60 * Number(process.env.SOAK_MINUTES ?? 30) : 12;
const perSecond = full ? 1_000 : 200;
const [shortestMs, longestMs] = full ? [5_000, 15_000] : [1_000, 2_000];
/** So long after a fault the latencies count again. */
const SETTLES_MS = 3_000;
const policy = { delivery: 'at-least-once', concurrency: 16, prefetch: 8 } as const;
const inFlight = policy.concurrency + policy.prefetch;
const MOST_P99_MS = 50;
const MOST_MB_PER_MINUTE = 1;
/** A connection takes three here, with the two of the proxy. */
const SPARE_FDS = 3;
const warn = (text: string) => void process.stderr.write(`${text}\n`);
/** Every fault is logged, and what is printed through jest is kept in memory until its end. */
const logger = { log: () => undefined, warn: () => undefined, error: warn, debug: () => undefined };

/** What the process holds at a quiet moment. */
interface Sample {
  readonly minute: number;
  readonly heapMb: number;
  readonly fds: number;
}

it(
  `${perSecond} messages a second for ${seconds} s with random faults`,
  async () => {
    const server = await RedisServer.start();
    const proxy = await FaultProxy.start(server.port);
    const admin = new Redis(server.url);
    const running = new Set<DiscoBus>();
    const bus = async (service: string): Promise<DiscoBus> => {
      const driver = redisDriver({ url: proxy.url, streams: { claimAfter: 2_000 } });
      const made = new DiscoBus({ driver, service, shutdownTimeout: '3s', logger });
      running.add(made);
      await made.start();
      return made;
    };
    try {
      const publisher = await bus('publishers');
      const load = new SoakLoad(perSecond, seconds, (n) =>
        publisher.publish('load', { n }, { delivery: 'at-least-once', timeout: '20s' }),
      );
      const consume = async () => {
        const consumer = await bus('workers');
        await consumer.subscribe(
          'load',
          async ({ n }: { n: number }) => {
            await pause(1);
            load.handled(n);
          },
          policy,
        );
        return consumer;
      };
      await consume();
      let consumer = await consume();
      const faults = new SoakFaults(server, proxy, admin, {
        async stop() {
          await consumer.stop();
          running.delete(consumer);
        },
        async start() {
          consumer = await consume();
        },
      });
      const samples: Sample[] = [];
      const startedMs = performance.now();
      await load.during(async () => {
        const endMs = startedMs + seconds * 1_000;
        while (performance.now() < endMs || !faults.complete) {
          const waitMs = shortestMs + Math.random() * (longestMs - shortestMs);
          await pause(Math.min(waitMs, SETTLES_MS));
          load.quiet(true);
          await pause(Math.max(0, waitMs - SETTLES_MS));
          load.quiet(false);
          samples.push(sample(startedMs));
          await faults.next();
        }
      });
      const healedMs = performance.now();
      await until('all are handled', () => load.missing === 0, 30_000).catch(() => undefined);
      const worstRecoveryMs = performance.now() - healedMs;
      await pause(300);
      const deadLetters = Number(await admin.xlen('disco:{load}:dead:workers'));
      const [lost, { duplicated, ghosts }] = [load.missing, load];
      const mayRepeat = faults.total * 3 * inFlight;
      const heapMbPerMinute = slope(samples);
      const fds = samples.map((each) => each.fds);
      // The least of a few: a connection that is just being replaced is no leak, and a leak is in all of them.
      const fdsGrown = Math.min(...fds.slice(-5)) - Math.min(...fds.slice(0, 5));
      const p99Ms = load.latencies.quantile(0.99);
      const steady = heapMbPerMinute <= MOST_MB_PER_MINUTE && fdsGrown <= SPARE_FDS && p99Ms <= MOST_P99_MS;
      const whole = lost === 0 && ghosts === 0 && deadLetters === 0 && duplicated <= mayRepeat;
      report({
        engine: 'streams',
        seconds,
        sent: load.sent,
        accepted: load.accepted,
        faults: faults.total,
        kinds: faults.counts,
        lost,
        duplicated,
        mayRepeat,
        unknown: load.unknown,
        refused: Object.fromEntries(load.refused),
        deadLetters,
        quietMessages: load.latencies.count,
        p50Ms: load.latencies.quantile(0.5),
        p99Ms,
        heapMb: [samples[0].heapMb, samples.at(-1)?.heapMb],
        heapMbPerMinute,
        fds: [fds[0], fds.at(-1)],
        fdsGrown,
        worstRecoveryMs,
        pass: whole && faults.complete && (!full || steady),
      });
      expect(faults.complete).toBe(true);
      expect(faults.total).toBeGreaterThanOrEqual(full ? seconds / 20 : 5);
      expect(load.accepted).toBeGreaterThan((seconds * perSecond) / 2);
      expect({ lost, ghosts, deadLetters }).toEqual({ lost: 0, ghosts: 0, deadLetters: 0 });
      expect(duplicated).toBeLessThanOrEqual(mayRepeat);
      if (!full) return;
      expect(load.latencies.count).toBeGreaterThan(0);
      expect(p99Ms).toBeLessThanOrEqual(MOST_P99_MS);
      expect(heapMbPerMinute).toBeLessThanOrEqual(MOST_MB_PER_MINUTE);
      expect(fdsGrown).toBeLessThanOrEqual(SPARE_FDS);
    } finally {
      proxy.pass();
      server.thaw();
      await Promise.all([...running].map((each) => each.stop()));
      admin.disconnect();
      await proxy.stop();
      await server.stop();
    }
  },
  120_000 + seconds * 1_000,
);

function sample(startedMs: number): Sample {
  if (full) collectGarbage();
  return {
    minute: (performance.now() - startedMs) / 60_000,
    heapMb: Math.round(process.memoryUsage().heapUsed / 1e4) / 100,
    fds: full ? readdirSync('/proc/self/fd').length : 0,
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** By how many MB a minute the heap grows, once the first third has warmed it up; least squares. */
function slope(samples: readonly Sample[]): number {
  const late = samples.slice(Math.floor(samples.length / 3));
  const mean = (of: (each: Sample) => number) => late.reduce((sum, each) => sum + of(each), 0) / late.length;
  const [minute, heapMb] = [mean((each) => each.minute), mean((each) => each.heapMb)];
  const shared = mean((each) => (each.minute - minute) * (each.heapMb - heapMb));
  return Math.round((100 * shared) / mean((each) => (each.minute - minute) ** 2)) / 100;
}
