import { FastifyAdapter } from '@nestjs/platform-fastify';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { type Browser } from 'playwright-core';
import { closeAll, start } from '../dashboard/support.js';
import { RedisServer } from '../support/redis-server.js';
import { fill } from './scene.js';
import { faults, launch, opened } from './support.js';

let browser: Browser;
let redis: RedisServer;
beforeAll(async () => {
  [browser, redis] = await Promise.all([launch(), RedisServer.start()]);
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await closeAll();
  expect(faults.splice(0)).toEqual([]);
});
afterAll(async () => {
  await Promise.all([browser?.close(), redis?.stop()]);
});

const servers = {
  'memory on Express': () => ({ bus: {} }),
  'Redis on Fastify': () => ({
    bus: { driver: redisDriver({ url: redis.url }) },
    adapter: new FastifyAdapter(),
  }),
};

describe.each(Object.entries(servers))('the overview of %s', (_, server) => {
  it('shows topics and groups, and what is published while it is open', async () => {
    const { bus, root } = await start(server());
    await fill(bus);
    const page = await opened(browser, `${root}/`);
    const row = page.getByRole('row', { name: /orders.*billing/ });
    await row.waitFor();
    expect(await row.textContent()).toContain('Paused by an operator');
    await page.getByRole('row', { name: /stock.*\b1\b/ }).waitFor();
    await bus.publish('stock', { sku: 'A-2' });
    await page.getByRole('row', { name: /stock.*\b2\b/ }).waitFor({ timeout: 2_500 });
  });
});
