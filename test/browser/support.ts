import { readFileSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { closeAll } from '../dashboard/support.js';
import { RedisServer } from '../support/redis-server.js';

/** What went wrong in pages that specs opened: errors of scripts, what a policy refused, what could not be loaded. */
export const faults: string[] = [];

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** The Chromium that tools/browser.mjs has found. Whoever launches it closes it. */
export function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_BIN;
  if (executablePath === undefined) throw new Error('Use npm run test:browser: it finds a Chromium');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
}

/** What a spec of the page works with. */
export interface BrowserStage {
  readonly browser: Browser;
  readonly redis: RedisServer;
}

/**
 * A browser and a Redis for all tests of a spec. After each of them its pages and applications are closed, and nothing must have
 * gone wrong in a page.
 */
export function browserStage(): BrowserStage {
  const stage = {} as { browser: Browser; redis: RedisServer };
  beforeAll(async () => {
    [stage.browser, stage.redis] = await Promise.all([launch(), RedisServer.start()]);
  });
  afterEach(async () => {
    await Promise.all(stage.browser.contexts().map((context) => context.close()));
    await closeAll();
    expect(faults.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([stage.browser?.close(), stage.redis?.stop()]);
  });
  return stage;
}

/** A page of its own context at `url`, once it shows something. Its faults come into `faults`. */
export async function opened(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await watched(page);
  await page.goto(url);
  await page.locator('main h2').first().waitFor();
  return page;
}

/** Adds what goes wrong in `page` to `faults`. */
export async function watched(page: Page): Promise<void> {
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  page.on('dialog', (dialog) => {
    faults.push(`a dialog of a script: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (line) => {
    // An answer that says no is the page's to tell; a refused policy is told here as well.
    if (line.type() === 'error' && !/Failed to load resource/.test(line.text()))
      faults.push(`console: ${line.text()}`);
  });
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
       console.error('policy: ' + violatedDirective + ' ' + blockedURI))`,
  );
}

/** The serious and critical faults that axe finds, each with where it is. */
export async function unusable(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
}

/** By how many pixels the page is wider than its window. */
export async function overhang(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
}
