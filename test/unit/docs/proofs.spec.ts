import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeIn, readDocument, root, tableAfter } from './markdown.js';

const readme = readDocument('README.md');
const samples = readdirSync(join(root, 'sample')).map((folder) => folder.replace(/^\d+-/, ''));

/** Each file that a cell names, with the title of a test within it where one follows in quotes. */
function proofsIn(cell: string): [file: string, title: string][] {
  return [...cell.matchAll(/`([^`]+)`(?: "([^"]+)")?/g)].map(([, file, title = '']) => [file, title]);
}

describe('the table of the original, row by row', () => {
  const rows = tableAfter(readme, '## The original, row by row');

  it('has rows, and each of them a proof', () => {
    expect(rows.length).toBeGreaterThan(15);
    for (const [row, , proof] of rows) expect([row, proofsIn(proof).length > 0]).toEqual([row, true]);
  });

  it.each(rows.flatMap(([, , proof]) => proofsIn(proof)))('%s has the test "%s"', (file, title) => {
    expect(existsSync(join(root, file))).toBe(true);
    expect(readDocument(file)).toContain(title);
  });
});

describe('what happens when …, row by row', () => {
  const specs = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  const specOf = (name: string) => specs.find((file) => file.endsWith(`/${name}.spec.ts`));
  const proofs = tableAfter(readme, '## What happens when …').flatMap(([, , proof]) => proofsIn(proof));

  it.each(proofs)('%s has the test "%s"', (name, title) => {
    expect(readDocument(`test/${specOf(name)}`)).toContain(title);
  });
});

describe('the samples that the README names', () => {
  const named = [...readme.matchAll(/npm run sample ([a-z-]+)/g)].map(([, name]) => name);
  const listed = tableAfter(readme, '## Samples').map(([name]) => codeIn(name)[0]);

  it.each([...new Set([...named, ...listed])])('%s is there', (name) => {
    expect(samples).toContain(name);
  });

  it('are all that there are', () => {
    expect([...listed].sort()).toEqual([...samples].sort());
  });
});
