import { RedisServer } from '../support/redis-server.js';
import { runSample } from './run-sample.js';

function expectTurns({ output, code }: { output: string; code: number | null }): void {
  const order = [
    /First\] acquired the lock, fencing token (\d+)/,
    /Second\] waits for its turn/,
    /First\] extended it: 10 s left/,
    /First\] wrote the report/,
    /Second\] acquired the lock, fencing token (\d+)/,
    /Second\] extended it: 10 s left/,
    /Second\] wrote the report/,
    /Second\] released the lock/,
  ].map((line) => line.exec(output));
  const places = order.map((match) => match?.index ?? -1);
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(output).toMatch(/First\] released the lock/);
  expect(BigInt(order[4]![1])).toBeGreaterThan(BigInt(order[0]![1]));
  expect(output).not.toMatch(/warn|error:/i);
  expect(code).toBe(0);
}

describe('sample locks', () => {
  it('runs embedded', async () => {
    expectTurns(await runSample('locks'));
  }, 90_000);

  it('runs on Redis, the second one in a process of its own', async () => {
    const server = await RedisServer.start();
    try {
      const result = await runSample('locks', { DISCO_BUS_URL: server.url });
      expectTurns(result);
      const processes = [...result.output.matchAll(/\[Nest\] (\d+) /g)].map(([, pid]) => pid);
      expect(new Set(processes).size).toBe(2);
    } finally {
      await server.stop();
    }
  }, 90_000);
});
