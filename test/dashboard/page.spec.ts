import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pageTexts } from '../../lib/dashboard/page-texts.js';
import { closeAll, start } from './support.js';

const folder = join(__dirname, '../../lib/dashboard/page');
const files = readdirSync(folder);

afterEach(closeAll);

describe('the page', () => {
  it('is what its files say; node tools/dashboard-page.mjs renews it', () => {
    const texts = files.map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
    expect(pageTexts).toEqual(Object.fromEntries(texts));
  });

  it('is served whole, with addresses that are all relative', async () => {
    const { get } = await start();
    for (const name of files) {
      const { status, text, headers } = await get(name);
      expect([name, status]).toEqual([name, 200]);
      const type = { html: 'text/html', js: 'text/javascript', css: 'text/css' }[name.split('.').at(-1)!];
      expect(headers.get('content-type')).toContain(type);
      expect(text).not.toMatch(/(?:src|href)="\/|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    }
    expect((await get('index.html')).text).toBe((await get('')).text);
  });

  it('makes text of all that is stored, and runs nothing that a policy refuses', () => {
    const scripts = files.filter((name) => name.endsWith('.js')).map((name) => pageTexts[name]);
    for (const script of scripts) {
      expect(script).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/,
      );
    }
    expect(pageTexts['index.html']).not.toMatch(/<script>|style=|\son\w+=/);
  });
});
