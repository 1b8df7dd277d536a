import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { RedisServer } from '../support/redis-server.js';
import { silent } from '../transport/support.js';
import { ServerJournal, ServerProcess } from './rpc-processes.js';

it('bus.inspect.instances tells of servers in other processes, and of a killed one no more', async () => {
  const server = await RedisServer.start();
  const config = { url: server.url, prefix: 'who-processes', workMs: 0 };
  const journal = new ServerJournal();
  const [one, two] = await Promise.all([1, 2].map(() => ServerProcess.start(config, journal)));
  const bus = new DiscoBus({
    driver: redisDriver({ url: server.url }),
    prefix: config.prefix,
    logger: silent,
  });
  try {
    await bus.start();
    const found = await bus.inspect.instances();
    expect(found).toMatchObject([
      { service: 'fault', patterns: ['work'] },
      { service: 'fault', patterns: ['work'] },
    ]);
    expect(new Set(found.map(({ pid }) => pid)).size).toBe(2);
    expect(found.every(({ pid }) => pid !== process.pid)).toBe(true);
    await one.kill('SIGKILL');
    expect(await bus.inspect.instances()).toHaveLength(1);
    await two.kill('SIGTERM');
    expect(await bus.inspect.instances({ timeout: 200 })).toEqual([]);
  } finally {
    await bus.stop();
    await Promise.all([one, two].map((each) => each.kill('SIGKILL')));
    await server.stop();
  }
}, 60_000);
