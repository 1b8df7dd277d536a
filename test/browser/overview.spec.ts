import { FastifyAdapter } from '@nestjs/platform-fastify';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { start } from '../dashboard/support.js';
import { fill } from './scene.js';
import { browserStage, opened } from './support.js';

const stage = browserStage();

const servers = {
  'memory on Express': () => ({ bus: {} }),
  'Redis on Fastify': () => ({
    bus: { driver: redisDriver({ url: stage.redis.url }) },
    adapter: new FastifyAdapter(),
  }),
};

describe.each(Object.entries(servers))('the overview of %s', (_, server) => {
  it('shows topics and groups, and what is published while it is open', async () => {
    const { bus, root } = await start(server());
    await fill(bus);
    const page = await opened(stage.browser, `${root}/`);
    const row = page.getByRole('row', { name: /orders.*billing/ });
    await row.waitFor();
    expect(await row.textContent()).toContain('Paused by an operator');
    await page.getByRole('row', { name: /stock.*\b1\b/ }).waitFor();
    await bus.publish('stock', { sku: 'A-2' });
    await page.getByRole('row', { name: /stock.*\b2\b/ }).waitFor({ timeout: 2_500 });
  });
});
