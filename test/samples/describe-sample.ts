import { Redis } from 'ioredis';
import { RedisServer } from '../support/redis-server.js';
import { runSample, type SampleResult } from './run-sample.js';

/** The keys that a sample has left and that do not expire. */
export async function lastingKeys(server: RedisServer): Promise<string[]> {
  const client = new Redis({ port: server.port });
  const keys = await client.keys('*');
  const lasting = await Promise.all(keys.map(async (key) => ((await client.pttl(key)) === -1 ? [key] : [])));
  client.disconnect();
  return lasting.flat();
}

/** The tests of a sample that tells the same story embedded and on Redis. */
export function describeSample(
  name: string,
  expectStory: (result: SampleResult) => void,
  env: Record<string, string> = {},
): void {
  describe(`sample ${name}`, () => {
    it('runs embedded', async () => {
      expectStory(await runSample(name, env));
    }, 90_000);

    it('runs on Redis', async () => {
      const server = await RedisServer.start();
      try {
        expectStory(await runSample(name, { ...env, DISCO_BUS_URL: server.url }));
        expect(await lastingKeys(server)).toEqual([]);
      } finally {
        await server.stop();
      }
    }, 90_000);
  });
}
