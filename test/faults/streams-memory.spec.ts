import { fork } from 'node:child_process';
import { join } from 'node:path';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { RedisServer } from '../support/redis-server.js';
import { bundledProgram } from '../support/source-process.js';
import { full, report } from './fault-report.js';

/** What the consumer tells. */
interface Sample {
  readonly handled: number;
  readonly heapUsed: number;
  readonly rss: number;
}

const total = full ? 1_000_000 : 100_000;
/** Published and not yet handled, at the most. */
const ahead = 20_000;

it(`the memory of a consumer stays flat over ${total} messages`, async () => {
  const server = await RedisServer.start();
  const script = bundledProgram(join(__dirname, 'streams-memory-consumer.ts'));
  const execArgv = ['--expose-gc'];
  const consumer = fork(script, [server.url, String(total)], { execArgv });
  const samples: Sample[] = [];
  let told = () => {};
  consumer.on('message', (sample: Sample) => {
    samples.push(sample);
    told();
  });
  const until = async (handled: number) => {
    while ((samples.at(-1)?.handled ?? -1) < handled) await new Promise<void>((resolve) => (told = resolve));
  };
  const bus = new DiscoBus({ driver: redisDriver({ url: server.url }) });
  try {
    await bus.start();
    await until(0);
    for (let sent = 0; sent < total; sent += 1_000) {
      await bus.publishBatch(
        'load',
        Array.from({ length: 1_000 }, (_, n) => ({ n: sent + n, note: 'x'.repeat(60) })),
        {
          delivery: 'at-least-once',
        },
      );
      await until(Math.floor((sent - ahead) / (total / 10)) * (total / 10));
    }
    await until(total);
  } finally {
    await bus.stop();
    const exited = new Promise((resolve) => consumer.once('exit', resolve));
    consumer.disconnect();
    await exited;
    await server.stop();
  }
  const heapMb = samples.slice(1).map(({ heapUsed }) => Math.round(heapUsed / 1e4) / 100);
  const grownMb = Math.round((heapMb[9] - heapMb[2]) * 100) / 100;
  const pass = grownMb <= 5;
  report({
    engine: 'streams',
    sent: total,
    faults: 0,
    heapMb,
    grownMb,
    rssMb: Math.round(samples[10].rss / 1e6),
    pass,
  });
  expect(samples.map(({ handled }) => handled)).toEqual(
    Array.from({ length: 11 }, (_, n) => (n * total) / 10),
  );
  expect(pass).toBe(true);
}, 300_000);
