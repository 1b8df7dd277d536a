import { join } from 'node:path';
import ts from 'typescript';
import { type CodeBlock, codeBlocksOf, root, userPages } from './markdown.js';
import { absentPackages, completed } from './surroundings.js';

const blocks = userPages.flatMap(codeBlocksOf).filter(({ language }) => language === 'ts');
const title = ({ page, line }: CodeBlock) => `${page}:${line}`;

/** Where the compiler is told that the text stands: within this package, so that it is an ES module. */
const fileOf = (name: string) => join(root, 'test/unit/docs', `${name.replace(/\W+/g, '-')}.ts`);

/** A block that is wrong on purpose, to see that mistakes are found. */
const mistaken = "await bus.publish('orders', { id: 1 }, { tymeout: 5 });";

describe('the code of the documents', () => {
  let mistakes: Map<string, string[]>;

  beforeAll(() => {
    const texts = blocks.map((block) => [title(block), block.code] as const);
    mistakes = mistakesIn(new Map([...texts, ['mistaken', mistaken]]));
  }, 120_000);

  it('is there', () => {
    expect(blocks.length).toBeGreaterThan(50);
  });

  it.each(blocks.map(title))('%s compiles', (name) => {
    expect(mistakes.get(name)).toEqual([]);
  });

  it('would not, with a mistake in it', () => {
    expect(mistakes.get('mistaken')).toEqual([expect.stringContaining('tymeout')]);
  });
});

/** What the compiler says of each text, by its name. */
function mistakesIn(blocksByName: ReadonlyMap<string, string>): Map<string, string[]> {
  const absent = fileOf('absent').replace(/ts$/, 'd.ts');
  const texts = new Map([[absent, absentPackages]]);
  for (const [name, code] of blocksByName) texts.set(fileOf(name), completed(code));
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (file) => texts.get(file) ?? readFile.call(host, file);
  host.fileExists = (file) => texts.has(file) || fileExists.call(host, file);
  host.getSourceFile = (file, version) => {
    const text = host.readFile(file);
    return text === undefined ? undefined : ts.createSourceFile(file, text, version, true);
  };
  const program = ts.createProgram([...texts.keys()], { ...options, declaration: false }, host);
  return new Map(
    [...blocksByName.keys()].map((name) => {
      const source = program.getSourceFile(fileOf(name));
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [name, found.map(described)];
    }),
  );
}

function described({ file, start = 0, length = 0, messageText }: ts.Diagnostic): string {
  const code = file?.text.slice(start, start + length) ?? '';
  return `${ts.flattenDiagnosticMessageText(messageText, ' ')} (${code.slice(0, 60)})`;
}
