import { RedisServer } from '../support/redis-server.js';
import { runSample } from './run-sample.js';

function expectOrders({ output, code }: { output: string; code: number | null }): void {
  for (const number of [1, 2, 3]) {
    expect(output).toMatch(new RegExp(`order ${number} published`));
    expect(output).toMatch(new RegExp(`order ${number} handled`));
  }
  expect(output).toContain('disco_bus_messages_published_total{topic="orders",status="success"} 3');
  expect(output).toContain('disco_bus_messages_processed_total{topic="orders",status="success"} 3');
  expect(output).not.toMatch(/warn|error:/i);
  expect(code).toBe(0);
}

describe('sample publish-subscribe', () => {
  it('runs embedded', async () => {
    expectOrders(await runSample('publish-subscribe'));
  }, 90_000);

  it('runs on Redis', async () => {
    const server = await RedisServer.start();
    try {
      expectOrders(await runSample('publish-subscribe', { DISCO_BUS_URL: server.url }));
    } finally {
      await server.stop();
    }
  }, 90_000);
});
