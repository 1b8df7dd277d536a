import ts from 'typescript';
import { readDocument } from './markdown.js';

/**
 * What a fragment of the documents may use without saying so: names of the main entry and of Nest without their imports, and
 * things that every application has. What comes from another entry of the package is imported where it is used.
 */
const imported: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    '@nestjs/common':
      'Body Controller Get Inject Injectable Module OnModuleInit Param Post UseInterceptors UsePipes ValidationPipe INestApplication',
    '@nestjs/core': 'NestFactory APP_INTERCEPTOR',
    '@nestjs/microservices': 'ClientsModule EventPattern MessagePattern Transport',
    '@nestjs/schedule': 'Cron CronExpression',
    '@nestjs/testing': 'Test',
    'nestjs-disco-bus/testing': 'DriverDecorator',
    '@standard-schema/spec': 'StandardSchemaV1',
    zod: 'z',
  }).flatMap(([module, names]) => names.split(' ').map((name) => [name, module])),
);

const declared: Readonly<Record<string, string>> = {
  bus: 'declare const bus: DiscoBusService;',
  app: 'declare const app: INestApplication;',
  url: 'declare const url: string;',
  host: 'declare const host: string;',
  port: 'declare const port: number;',
  id: 'declare const id: string;',
  Order: 'interface Order { id: number; total: number }',
  OrderSchema: 'declare const OrderSchema: StandardSchemaV1<Order>;',
  Settings: 'declare class Settings { readonly orders: DiscoSubscribeOptions }',
  shop: 'declare const shop: Contract;',
  mended: 'declare const mended: unknown;',
  build: 'declare function build(signal: AbortSignal): Promise<void>;',
  MyDriver: 'declare class MyDriver extends DriverDecorator { constructor() }',
  bank: 'declare const bank: { compute(id: string, signal: AbortSignal): Promise<number> };',
  AppModule: 'declare class AppModule {}',
  Shop: 'declare class Shop { order(): Promise<void> }',
  Reports: 'declare class Reports { digest(): Promise<string> }',
  db: 'declare const db: { query(sql: string, values: unknown[]): Promise<{ rowCount: number }> };',
};

/** Packages that examples name and that are not installed here: what is used of them. */
export const absentPackages = `declare module '@nestjs/config' {
  export class ConfigModule {}
  export class ConfigService { getOrThrow<T>(name: string): T }
}`;

/** Fields of the class around a method that stands alone. */
const fields = `
  declare carrier: { book(order: unknown, options: { signal?: AbortSignal }): Promise<void> };
  declare bus: DiscoBusService;
`;

/** `code` as a module that the compiler can check: methods get a class, and what is not said is declared. */
export function completed(code: string): string {
  const isMethod =
    /^\s*(?:\/\/.*\n\s*)*@\w+\(/.test(code) && !/^(?:export )?(?:abstract )?class /m.test(code);
  const body = isMethod ? `class Example {${fields}\n${code}\n}` : code;
  const prelude = preludeOf(body);
  return `${prelude}\n${body}\nexport {};\n`;
}

function preludeOf(body: string): string {
  const own = ownNames(body);
  const used = (text: string, name: string) => new RegExp(`(?<![\\w.'])${name}\\b`).test(text);
  const needed = (names: Iterable<string>, text: string) =>
    [...names].filter((name) => !own.has(name) && used(text, name));
  const declarations = (text: string) => needed(Object.keys(declared), text).map((name) => declared[name]);
  const given = [...new Set([...declarations(body), ...declarations(declarations(body).join('\n'))])];
  const whole = [body, ...given].join('\n');
  const entry = mainEntry();
  const main = needed(entry.keys(), whole).map((name) => (entry.get(name) ? `type ${name}` : name));
  const others = needed(Object.keys(imported), whole);
  const imports = others.map((name) => `import { ${name} } from '${imported[name]}';`);
  return [`import { ${main.join(', ')} } from 'nestjs-disco-bus';`, ...imports, ...given].join('\n');
}

/** What a block imports or declares itself, at its top level. */
function ownNames(body: string): Set<string> {
  const names = new Set<string>();
  const source = ts.createSourceFile('block.ts', body, ts.ScriptTarget.ES2022, true);
  const visit = (node: ts.Node): void => {
    const isNamed =
      ts.isImportSpecifier(node) || ts.isVariableDeclaration(node) || ts.isClassDeclaration(node);
    if ((isNamed || ts.isInterfaceDeclaration(node) || ts.isFunctionDeclaration(node)) && node.name) {
      if (ts.isIdentifier(node.name)) names.add(node.name.text);
      else for (const [, name] of node.name.getText().matchAll(/(\w+)\s*[,}\]]/g)) names.add(name);
    }
    if (ts.isParameter(node) && ts.isIdentifier(node.name)) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

let entryNames: Map<string, boolean> | undefined;

/** The names that the main entry exports, and whether each is a type only. */
function mainEntry(): Map<string, boolean> {
  if (entryNames !== undefined) return entryNames;
  const source = ts.createSourceFile('index.ts', readDocument('lib/index.ts'), ts.ScriptTarget.ES2022, true);
  const clauses = source.statements.filter(ts.isExportDeclaration);
  entryNames = new Map(
    clauses.flatMap(({ isTypeOnly, exportClause }) =>
      exportClause && ts.isNamedExports(exportClause)
        ? exportClause.elements.map((each) => [each.name.text, isTypeOnly || each.isTypeOnly] as const)
        : [],
    ),
  );
  return entryNames;
}
