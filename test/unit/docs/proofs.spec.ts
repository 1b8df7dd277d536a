import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeIn, readDocument, root, tableAfter, userPages } from './markdown.js';
import { originalProofs, type ProofTable, whatHappensProofs } from './proofs.js';

const samples = readdirSync(join(root, 'sample')).map((folder) => folder.replace(/^\d+-/, ''));

describe.each<[title: string, page: string, heading: string, proofs: ProofTable]>([
  ['the original', 'docs/migrate/go-library.md', '## The original, row by row', originalProofs],
  ['what happens when …', 'docs/understand/guarantees.md', '## What happens when …', whatHappensProofs],
])('%s, row by row', (_title, page, heading, proofs) => {
  const rows = tableAfter(readDocument(page), heading).map(([row]) => row);

  it('has rows, and a proof for each', () => {
    expect(rows.length).toBeGreaterThanOrEqual(15);
    expect(Object.keys(proofs)).toEqual(rows);
    for (const [row, files] of Object.entries(proofs)) {
      expect([row, Object.keys(files).length > 0]).toEqual([row, true]);
    }
  });

  it.each(Object.values(proofs).flatMap((files) => Object.entries(files)))(
    '%s has the tests %j',
    (file, titles) => {
      expect(existsSync(join(root, file))).toBe(true);
      for (const title of titles) expect(readDocument(file)).toContain(title);
    },
  );
});

describe('the samples that the documents name', () => {
  const text = userPages.map(readDocument).join('\n');
  const named = [...text.matchAll(/npm run sample ([a-z-]+)/g)].map(([, name]) => name);
  const listed = tableAfter(readDocument('docs/start/samples.md'), '# Samples').map(
    ([name]) => codeIn(name)[0],
  );

  it.each([...new Set([...named, ...listed])])('%s is there', (name) => {
    expect(samples).toContain(name);
  });

  it('are all that there are', () => {
    expect([...listed].sort()).toEqual([...samples].sort());
  });
});
