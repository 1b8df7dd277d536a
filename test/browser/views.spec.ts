import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { type Browser, type Page } from 'playwright-core';
import { closeAll, start } from '../dashboard/support.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { withPalette } from './palette.js';
import { workingDay } from './scene.js';
import { faults, launch, opened, overhang, unusable } from './support.js';

/** UPDATE_PICTURES=1 renews the pictures of the documents, from half a minute of traffic. */
const renews = process.env.UPDATE_PICTURES !== undefined;
const folder = join(__dirname, '../../docs/pictures/dashboard');

const views: Record<string, string> = {
  overview: '#/',
  topic: '#/topic/orders.placed',
  messages: '#/messages/orders.placed',
  delayed: '#/delayed/mails.requested',
  'dead-letters': '#/dead/orders.placed/billing',
  locks: '#/locks',
  instances: '#/instances',
  audit: '#/audit',
};
const pictured = ['overview', 'topic', 'messages', 'dead-letters', 'locks'];

let browser: Browser;
let redis: RedisServer;
let root: string;
let page: Page;
const pictures = new Map<string, Buffer>();
beforeAll(async () => {
  [browser, redis] = await Promise.all([launch(), RedisServer.start()]);
  const started = await start({
    bus: { driver: redisDriver({ url: redis.url }), shutdownTimeout: 500 },
    dashboard: { readOnly: false, payloads: 'shown' },
  });
  root = started.root;
  const more = await workingDay(started.bus);
  page = await opened(browser, `${root}/`);
  for (let turn = 0; turn < (renews ? 60 : 12); turn++) {
    await more();
    if (renews) await pause(500);
  }
  await until('something is given up', () => started.bus.deadLetters('orders.placed', 'billing').count());
}, 150_000);
afterAll(async () => {
  await browser?.close();
  await closeAll();
  await redis?.stop();
  expect(faults.splice(0)).toEqual([]);
  // At last: it keeps this process busy, and the bus lives in it.
  for (const [file, picture] of pictures) writeFileSync(join(folder, file), withPalette(picture));
}, 60_000);

/** Shows a view as it is once what it asked for is there. */
async function goTo(name: string): Promise<void> {
  await page.goto(`${root}/${views[name]}`);
  await page.locator(name === 'overview' ? 'main .health' : 'main .heading h2').waitFor();
}

function keep(name: string, width: number, picture: Buffer): void {
  if (!renews) return;
  mkdirSync(folder, { recursive: true });
  pictures.set(`${name}-${width}.png`, picture);
}

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  it.each(Object.keys(views))(
    '%s can be used by everybody, on a wide and on a narrow window',
    async (name) => {
      await page.emulateMedia({ colorScheme });
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 660 });
        await goTo(name);
        expect(await overhang(page)).toBeLessThanOrEqual(0);
        expect(await unusable(page)).toEqual([]);
        const dark = name === 'overview' && colorScheme === 'dark';
        if (pictured.includes(name) && (colorScheme === 'light' || dark))
          keep(dark ? 'overview-dark' : name, width, await page.screenshot());
      }
    },
  );
});
