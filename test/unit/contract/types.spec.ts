import current from 'typescript';
import previous from 'typescript-previous';
import { fitting } from './fitting-snippets.js';
import { refused } from './refused-snippets.js';
import { Compilation, type Compiler } from './snippets.js';

const minor = ({ version }: Compiler) => version.split('.').slice(0, 2).join('.');
const compilers = [current, previous as unknown as Compiler].map((compiler) => ({
  version: minor(compiler),
  compiler,
}));

it('covers two minor versions of TypeScript, and enough', () => {
  expect(new Set(compilers.map(({ version }) => version)).size).toBe(2);
  expect(Object.keys(fitting).length).toBeGreaterThanOrEqual(40);
  expect(Object.keys(refused).length).toBeGreaterThanOrEqual(40);
});

describe.each(compilers)('The types of a contract by TypeScript $version', ({ compiler }) => {
  let compilation: Compilation;
  beforeAll(() => {
    compilation = new Compilation(compiler, { ...fitting, ...refused });
  }, 120_000);

  it('take what all snippets use', () => {
    expect(compilation.ofPrelude).toEqual([]);
  });

  it.each(Object.keys(fitting))('take %s', (title) => {
    expect(compilation.mistakes(title)).toEqual([]);
  });

  it.each(Object.entries(refused))('refuse %s', (title, code) => {
    const lines = code.split('\n');
    const line = lines.findIndex((each) => each.includes('// ! ')) + 1;
    const [, kind, said] = /\/\/ ! (\d+) ?(.*)$/.exec(lines[line - 1]!)!;
    const found = compilation.mistakes(title);
    expect(found).toEqual([{ line, code: Number(kind), message: expect.stringContaining(said!) }]);
  });
});
