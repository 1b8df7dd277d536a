import { RedisServer } from '../support/redis-server.js';
import { runSample } from './run-sample.js';

function expectTheStory({ output, code }: { output: string; code: number | null }): void {
  expect(output.match(/GET mirror ball: \{"item":"mirror ball","count":12,"from":"[AB]"\}/g)).toHaveLength(4);
  // Both instances share the work.
  for (const instance of ['A', 'B']) expect(output).toContain(`"from":"${instance}"`);
  expect(output).toMatch(/GET unicorn: 404 .*there is no unicorn/);
  expect([...output.matchAll(/event: \{"item":"fog machine","count":(\d)/g)].map(([, n]) => n)).toEqual([
    '2',
    '1',
    '0',
  ]);
  expect(output).toMatch(/after closing time: 404/);
  expect(code).toBe(0);
}

describe('sample request-reply', () => {
  it('runs embedded', async () => {
    expectTheStory(await runSample('request-reply'));
  }, 90_000);

  it('runs on Redis', async () => {
    const server = await RedisServer.start();
    try {
      expectTheStory(await runSample('request-reply', { DISCO_BUS_URL: server.url }));
    } finally {
      await server.stop();
    }
  }, 90_000);
});
