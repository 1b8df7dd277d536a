import { createRequire } from 'node:module';
import { join } from 'node:path';
import { codeIn, readDocument, root, tableAfter } from './markdown.js';

interface Rule {
  readonly name: string;
  readonly to: { readonly pathNot?: readonly string[] };
}

const { forbidden } = createRequire(join(root, 'package.json'))('./.dependency-cruiser.cjs') as {
  forbidden: readonly Rule[];
};
const table = tableAfter(readDocument('CONTRIBUTING.md'), '## Layers');

/** `^lib/errors/` → `errors`; `node_modules/(@types/)?ioredis/` → `ioredis`. */
function allowed(rule: string, except: string): string[] {
  const patterns = forbidden.find(({ name }) => name === rule)?.to.pathNot ?? [];
  return patterns
    .map((pattern) => pattern.replace(/^(\^lib\/|node_modules\/\(@types\/\)\?)/, '').replace(/\/$/, ''))
    .filter((name) => name !== except);
}

describe('the dependency table of CONTRIBUTING', () => {
  it('has a row for every folder that the rules know', () => {
    const ruled = forbidden.flatMap(({ name }) => /^(\w+)-packages$/.exec(name)?.[1] ?? []);
    expect(ruled.length).toBeGreaterThan(10);
    expect(table.map(([folder]) => codeIn(folder)[0])).toEqual(ruled);
  });

  it.each(table.map(([folder, lib, npm]) => [codeIn(folder)[0], lib, npm]))(
    '%s: says what the rules say',
    (folder, lib, npm) => {
      expect(codeIn(lib)).toEqual(allowed(`${folder}-imports`, folder));
      expect(codeIn(npm.replace(/\(.*\)/, ''))).toEqual(
        allowed(`${folder}-packages`, 'node_modules/@types/node'),
      );
    },
  );
});
