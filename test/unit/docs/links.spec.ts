import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { anchorsOf, linksOf, pagesOf, root } from './markdown.js';

const notes = ['bench/README.md', 'test/README.md'];
const pages = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...notes, ...pagesOf(['docs'])].filter(
  (page) => !page.startsWith('docs/api/'),
);

/** What is wrong with the links of a page. */
function deadLinksOf(page: string): string[] {
  return linksOf(page).flatMap(({ file, anchor }) => {
    if (!existsSync(join(root, file))) return [`no file ${file}`];
    return anchor === '' || anchorsOf(file).has(anchor) ? [] : [`no heading #${anchor} in ${file}`];
  });
}

describe('the links of the documents', () => {
  it.each(pages)('%s: each leads to a file that is there, and to a heading on it', (page) => {
    expect(deadLinksOf(page)).toEqual([]);
  });

  it('are many', () => {
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(100);
  });

  it('reach every page for users from the map', () => {
    const mapped = new Set(linksOf('docs/README.md').map(({ file }) => file));
    const folders = ['start', 'guides', 'migrate', 'reference', 'understand', 'operations'];
    const unmapped = pagesOf(folders.map((folder) => `docs/${folder}`)).filter((page) => !mapped.has(page));
    expect(unmapped).toEqual([]);
  });
});
