import { RedisServer } from '../support/redis-server.js';
import { runSample } from './run-sample.js';

function expectBothSides({ output, code }: { output: string; code: number | null }): void {
  const told = [
    'POST /orders answers 201',
    'order 1 placed: a mirror ball, a dance floor',
    'GET /orders/1/total answers 200: 20',
    'GET /orders/2/total answers 404: {"message":"there is no order 2"',
  ];
  for (const line of told) expect(output).toContain(line);
  expect(output).not.toMatch(/warn|ERROR/);
  expect(code).toBe(0);
}

describe('sample hybrid-app', () => {
  it('runs embedded', async () => {
    expectBothSides(await runSample('hybrid-app'));
  }, 90_000);

  it('runs on Redis', async () => {
    const server = await RedisServer.start();
    try {
      expectBothSides(await runSample('hybrid-app', { DISCO_BUS_URL: server.url }));
    } finally {
      await server.stop();
    }
  }, 90_000);
});
