import { RedisServer } from '../support/redis-server.js';
import { runSample, type SampleResult } from './run-sample.js';

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
      } finally {
        await server.stop();
      }
    }, 90_000);
  });
}
