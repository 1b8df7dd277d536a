import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { RedisServer } from '../../support/redis-server.js';
import { connectionPaths } from './connection-paths.js';
import { messagePaths } from './message-paths.js';
import { serverPaths } from './server-paths.js';
import { type FailingPath, hits, shown, Witness } from './witness.js';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
  const admin = new Redis(server.url);
  await admin.config('SET', 'requirepass', 'right');
  admin.disconnect();
});
afterAll(() => server.stop());

const paths: Record<string, FailingPath> = {
  ...connectionPaths(() => server),
  ...serverPaths,
  ...messagePaths,
};
const failed = new Set<string>();

it.each(Object.keys(paths))(
  'no secret is told when this fails: %s',
  async (name) => {
    const { fails, run } = paths[name];
    const witness = new Witness();
    let seen: string;
    let outcome: unknown;
    try {
      outcome = await run(witness);
    } finally {
      seen = await witness.close();
    }
    const text = typeof outcome === 'string' ? outcome : `${shown(outcome)}\n${inspect(outcome)}`;
    expect(`${text}\n${seen}`).toMatch(fails);
    expect(hits(`${text}\n${seen}`)).toEqual([]);
    failed.add(name);
  },
  30_000,
);

it('so many paths have failed', () => {
  expect(failed.size).toBe(Object.keys(paths).length);
  expect(failed.size).toBeGreaterThanOrEqual(60);
});
