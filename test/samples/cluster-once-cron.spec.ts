import { RedisServer } from '../support/redis-server.js';
import { runSample } from './run-sample.js';

function expectOncePerTick({ output, code }: { output: string; code: number | null }): void {
  const ticks = output.match(/\d\d:\d\d:\d\d: called on .*/g);
  expect(ticks).toHaveLength(3);
  for (const tick of ticks!) expect(tick).toMatch(/called on 1 and 2, ran 1 time$/);
  expect(output.match(/instance [12] sends the digest/g)!.length).toBeGreaterThanOrEqual(3);
  expect(output).not.toMatch(/warn|error/i);
  expect(code).toBe(0);
}

describe('sample cluster-once-cron', () => {
  it('runs embedded', async () => {
    expectOncePerTick(await runSample('cluster-once-cron'));
  }, 90_000);

  it('runs on Redis', async () => {
    const server = await RedisServer.start();
    try {
      expectOncePerTick(await runSample('cluster-once-cron', { DISCO_BUS_URL: server.url }));
    } finally {
      await server.stop();
    }
  }, 90_000);
});
