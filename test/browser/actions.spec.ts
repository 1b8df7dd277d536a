import { FastifyAdapter } from '@nestjs/platform-fastify';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { type Page } from 'playwright-core';
import { closeAll, start } from '../dashboard/support.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { fill, hostile } from './scene.js';
import { browserStage, faults, opened } from './support.js';

const stage = browserStage();

const servers = {
  'memory on Express': () => ({ bus: {} }),
  'memory on Fastify': () => ({ bus: {}, adapter: new FastifyAdapter() }),
  'Redis on Express': () => ({ bus: { driver: redisDriver({ url: stage.redis.url }) } }),
  'Redis on Fastify': () => ({
    bus: { driver: redisDriver({ url: stage.redis.url }) },
    adapter: new FastifyAdapter(),
  }),
};
const all = { readOnly: false, payloads: 'shown' as const };
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });

/** Presses a button, answers the dialog, and resolves when the page says what was done. */
async function doing(page: Page, name: string | RegExp, yes: string | undefined, said: RegExp) {
  await button(page, name).first().click();
  if (yes !== undefined) await page.getByRole('dialog').getByRole('button', { name: yes }).click();
  await page.getByRole('status').filter({ hasText: said }).waitFor();
}

describe.each(Object.entries(servers))('the actions over %s', (_, server) => {
  it('do what their dialogs say, and nothing before; what is stored stays text', async () => {
    const { bus, root } = await start({ ...server(), dashboard: all });
    await fill(bus);
    const group = () => bus.inspect.group('orders', 'billing');
    const page = await opened(stage.browser, `${root}/#/topic/orders`);

    await button(page, 'Purge').click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.textContent()).toContain('"billing" of "orders" for good');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect((await group())!.waiting).toBeGreaterThan(0);

    await page.getByLabel(/Limit of the group "billing"/).fill('3');
    await doing(page, 'Set', undefined, /at most 3/);
    expect(await group()).toMatchObject({ limit: 3 });
    const { waiting } = (await group())!;
    await doing(page, 'To the end', `Skip ${waiting}`, /is moved/);
    expect(await group()).toMatchObject({ waiting: 0 });
    await doing(page, 'From the beginning', 'Move back', /is moved/);
    await bus.publish('orders', { card: '4777' });
    await bus.publish('orders', { card: '4888' });
    await until('something waits', async () => (await group())!.waiting > 0);
    await page.reload();
    await button(page, 'Purge').click();
    const drop = dialog.getByRole('button', { name: /^Drop/ });
    const count = Number((await drop.textContent())!.slice(5));
    await bus.publish('orders', { card: '4999' });
    await drop.click();
    // One more has come meanwhile: it asks again.
    await dialog.getByRole('button', { name: `Drop ${count + 1}` }).click();
    await page
      .getByRole('status')
      .filter({ hasText: `${count + 1} messages of "billing" of "orders" dropped` })
      .waitFor();
    expect(await group()).toMatchObject({ waiting: 0 });
    await doing(page, 'Resume', undefined, /reads again/);
    await doing(page, 'Pause', 'Pause', /is paused/);
    expect(await group()).toMatchObject({ paused: true });

    await page.goto(`${root}/#/dead/orders/billing`);
    await page.locator('summary').first().click();
    const letter = page.locator('details[open]');
    await letter.getByText('4111').waitFor();
    expect(await letter.textContent()).toContain(hostile);
    expect(await page.getByRole('table').textContent()).toContain(`db down ${hostile}`);
    const left = async () => (await group())!.deadLetters.messages;
    const before = await left();
    await doing(page, /^Remove /, 'Remove 1', /is removed/);
    expect(await left()).toBe(before - 1);
    await doing(page, 'Replay all 1', 'Replay 1', /1 dead letter handed back/);
    await page.getByText('No dead letters').waitFor();
    expect(await left()).toBe(0);

    await page.goto(`${root}/#/topic/stock`);
    await doing(page, 'Purge', 'Drop 1', /1 message of "stock" dropped/);

    await page.goto(`${root}/#/locks`);
    await page.getByRole('cell', { name: `oven ${hostile}`, exact: true }).waitFor();
    await doing(page, /^Release oven/, 'Take from 1', /taken from 1 holder/);
    await page.getByText('Nobody holds a lock').waitFor();

    await page.goto(`${root}/#/audit`);
    await page.getByRole('cell', { name: 'force release' }).waitFor();
  });
});

describe('the page', () => {
  it('writes nothing while it is read-only, and says that payloads are hidden', async () => {
    const { bus, root } = await start();
    await fill(bus);
    const page = await opened(stage.browser, `${root}/#/topic/orders`);
    const written: string[] = [];
    page.on('request', (request) => request.method() !== 'GET' && written.push(request.url()));
    await page.getByText('Why does it wait?').waitFor();
    for (const view of ['topic/orders', 'topic/stock', 'dead/orders/billing', 'locks', 'messages/orders']) {
      await page.goto(`${root}/#/${view}`);
      await page.locator('main .heading h2').waitFor();
      const names = await page.getByRole('button').allTextContents();
      expect(new Set(names.filter((name) => name !== 'Refresh'))).toEqual(new Set());
    }
    await page.getByText('Payloads and headers are hidden').waitFor();
    expect(await page.locator('main').textContent()).not.toContain('4333');
    expect(written).toEqual([]);
  });

  it('shows hostile messages, headers, addresses and errors as text', async () => {
    const { bus, root } = await start({ dashboard: all });
    await fill(bus);
    const page = await opened(stage.browser, `${root}/#/messages/orders`);
    const table = page.getByRole('table');
    await table.waitFor();
    expect(await table.textContent()).toContain(`4333 ${hostile}`);
    expect(await table.locator('.headers').first().textContent()).toContain(hostile);
    for (const address of [`topic/${encodeURIComponent(hostile)}`, 'topic/orders%', 'constructor']) {
      await page.goto(`${root}/#/${address}`);
      await page.locator('main h2').first().waitFor();
    }
    await page.goto(`${root}/#/topic/${encodeURIComponent(hostile)}`);
    expect(await page.getByRole('alert').last().textContent()).toContain('<script>');
    expect(await page.locator('main script, main img').count()).toBe(0);
  });

  it('shows in one tab what is done in another', async () => {
    const { bus, root } = await start({ dashboard: all });
    await fill(bus);
    const [one, other] = await Promise.all([1, 2].map(() => opened(stage.browser, `${root}/#/topic/orders`)));
    await button(one, 'Resume').waitFor();
    await doing(other, 'Resume', undefined, /reads again/);
    await button(one, 'Pause').waitFor({ timeout: 2_500 });
  });

  it('is used by the keyboard alone, and leaves the focus where it is while it renews itself', async () => {
    const { bus, root } = await start({ dashboard: all });
    await fill(bus);
    const page = await opened(stage.browser, `${root}/`);
    await page.getByRole('row', { name: /orders.*billing/ }).waitFor();
    const focus = () => page.evaluate('document.activeElement.textContent') as Promise<string>;
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press('Tab');
        if ((await focus()) === name) return;
      }
      throw new Error(`Tab does not come to ${name}`);
    };
    await page.keyboard.press('Tab');
    expect(await focus()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await tabTo('orders');
    await bus.publish('stock', { sku: 'A-2' });
    await page.getByRole('row', { name: /stock.*\b2\b/ }).waitFor({ timeout: 2_500 });
    expect(await focus()).toBe('orders');
    await page.keyboard.press('Enter');
    await button(page, 'Resume').waitFor();
    await tabTo('Purge');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await focus()).toBe('Cancel');
    await page.keyboard.press('Escape');
    expect(await focus()).toBe('Purge');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page
      .getByRole('status')
      .filter({ hasText: /dropped/ })
      .waitFor();
    expect(await bus.inspect.group('orders', 'billing')).toMatchObject({ waiting: 0 });
  });

  it('says that a bus is down, keeps what it knows, and comes back by itself', async () => {
    const server = await RedisServer.start();
    const { bus, root } = await start({
      bus: { driver: redisDriver({ url: server.url }), shutdownTimeout: 500 },
    });
    await bus.publish('stock', 1);
    const page = await opened(stage.browser, `${root}/`);
    await page.getByRole('row', { name: /stock/ }).waitFor();
    await server.stop();
    const banner = page.locator('#banner');
    await banner.filter({ hasText: 'no connection' }).waitFor();
    expect(await page.getByRole('row', { name: /stock/ }).count()).toBe(1);
    const again = await RedisServer.startOn(server.port);
    try {
      await banner.waitFor({ state: 'hidden' });
      await bus.publish('news', 1);
      await page.getByRole('row', { name: /news/ }).waitFor();
    } finally {
      await closeAll();
      await again.stop();
    }
    await banner.filter({ hasText: 'The server does not answer' }).waitFor();
    faults.splice(0);
  });
});
