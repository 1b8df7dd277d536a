import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { codeIn, readDocument, root, tableAfter } from './markdown.js';

const options = readDocument('docs/reference/options.md');
const optionTables = [...options.matchAll(/<!-- options: (\w+) (\S+) -->/g)].map(
  ([marker, type, file]) => [type, file, marker] as const,
);
const first = (rows: string[][]) => rows.map(([cell]) => codeIn(cell)[0]);

describe('the option tables', () => {
  let program: ts.Program;

  beforeAll(() => {
    const files = optionTables.map(([, file]) => join(root, file));
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent({ ...config, files, include: [] }, ts.sys, root);
    program = ts.createProgram(files, options);
  }, 60_000);

  it('are there', () => {
    expect(optionTables.length).toBeGreaterThanOrEqual(9);
  });

  it.each(optionTables)('%s: every option that the type has, and no other', (type, file, marker) => {
    expect(first(tableAfter(options, marker)).sort()).toEqual(optionsOf(type, file).sort());
  });

  /** The option names of an interface, save those it inherits, by `extends` or `Omit`, from one that has a table of its own. */
  function optionsOf(type: string, file: string): string[] {
    const source = program.getSourceFile(join(root, file));
    const checker = program.getTypeChecker();
    const declaration = source?.statements.find(
      (statement): statement is ts.InterfaceDeclaration =>
        ts.isInterfaceDeclaration(statement) && statement.name.text === type,
    );
    if (!declaration) throw new Error(`${file} has no interface ${type}`);
    const parents = declaration.heritageClauses?.flatMap(({ types }) => types) ?? [];
    const tabled = parents.filter((parent) =>
      optionTables.some(
        ([name]) => parent.getText() === name || parent.getText().startsWith(`Omit<${name},`),
      ),
    );
    const inherited = new Set(tabled.flatMap((parent) => names(checker.getTypeAtLocation(parent))));
    return names(checker.getTypeAtLocation(declaration)).filter((name) => !inherited.has(name));
  }

  function names(type: ts.Type): string[] {
    return type.getProperties().map(({ name }) => name);
  }
});

describe('the error table', () => {
  it('has every code and class that can be met, and what it says of retrying', () => {
    const table = tableAfter(readDocument('docs/reference/errors.md'), '# Errors');
    const told = table.map(([code, classes, , retryable]) => [
      codeIn(code)[0],
      codeIn(classes)[0],
      retryable,
    ]);
    expect(told.sort()).toEqual(errorClasses().sort());
  });

  it('has a code of its own for every class', () => {
    const codes = errorClasses().map(([code]) => code);
    expect(codes).toEqual([...new Set(codes)]);
  });

  /** Read from the sources: class, code and `retryable` of each direct subclass of DiscoBusError. */
  function errorClasses(): string[][] {
    const files = readdirSync(join(root, 'lib/errors')).filter((file) => file.endsWith('.errors.ts'));
    const text = files.map((file) => readDocument(join('lib/errors', file))).join('\n');
    const classes = text.split(/^export class /m).slice(1);
    return classes
      .filter((body) => /^\w+ extends DiscoBusError/.test(body))
      .map((body) => {
        const [name] = body.split(' ');
        const code = /readonly code = '(\w+)'/.exec(body)?.[1] ?? 'no code';
        const retryable = /readonly retryable: boolean/.test(body) ? 'as it says' : undefined;
        return [code, name, retryable ?? (/readonly retryable = true/.test(body) ? 'yes' : 'no')];
      });
  }
});

describe('the table of statuses', () => {
  it('has every type that @OnDiscoEvent knows, and no other', () => {
    const source = readDocument('lib/nest/handlers/on-disco-event.decorator.ts');
    const known = /const known: Record<DiscoEventType, true> = \{([\s\S]*?)\};/.exec(source)?.[1] ?? '';
    const types = [...known.matchAll(/^ {2}'?([\w-]+)'?: true,$/gm)].map(([, type]) => type);
    expect(types.length).toBeGreaterThan(15);
    const told = first(tableAfter(readDocument('docs/reference/statuses.md'), '# Statuses'));
    expect(told.sort()).toEqual(types.sort());
  });
});
