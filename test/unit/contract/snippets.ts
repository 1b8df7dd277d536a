import { join } from 'node:path';
import type tsc from 'typescript';

/** A compiler: TypeScript as a module, of whatever version. */
export type Compiler = typeof tsc;

/** Code that is compiled behind {@link prelude}: by title. */
export type Snippets = Readonly<Record<string, string>>;

/** What all snippets may use. */
export const prelude = `
import type { DiscoBatchContext, DiscoBus, DiscoMessageContext, ReplyStream, TopicDefinition } from 'nestjs-disco-bus';
import { DiscoBusService, DiscoContext, DiscoPayload, DiscoSubscribe, defineRequest, defineTopic } from 'nestjs-disco-bus';
import { DiscoBusClient, DiscoBusContext, DiscoEventPattern, DiscoMessagePattern, DiscoRecord } from 'nestjs-disco-bus/transport';
import { Ctx, Payload } from '@nestjs/microservices';
import { type } from 'arktype';
import { Observable, of } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';

export { Ctx, DiscoBusClient, DiscoBusContext, DiscoBusService, DiscoContext, DiscoEventPattern, DiscoMessagePattern };
export { DiscoPayload, DiscoRecord, DiscoSubscribe, Observable, Payload, defineRequest, defineTopic, of, type, v, z };
export type { DiscoBatchContext, DiscoBus, DiscoMessageContext, ReplyStream, TopicDefinition };

export interface Order { id: string; total: number; at: Date }
export interface Price { cents: number; until: Date }

/** What the schema takes has a string at \`at\`, what it makes has a Date. */
export const OrderSchema = z.object({
  id: z.string(),
  total: z.number(),
  at: z.iso.datetime().transform((at) => new Date(at)),
  customer: z.object({ id: z.string() }),
});
export type Taken = z.input<typeof OrderSchema>;
export type Made = z.output<typeof OrderSchema>;
export const taken: Taken = { id: 'o1', total: 5, at: '2026-01-02T03:04:05Z', customer: { id: 'c1' } };

export const OrderCreated = defineTopic('orders.created', { schema: OrderSchema, key: (order) => order.id });
export const Plain = defineTopic<Order>('orders.plain');
export const GetPrice = defineRequest('prices.get', {
  schema: z.object({ item: z.string() }),
  reply: z.object({ cents: z.number(), until: z.iso.datetime().transform((at) => new Date(at)) }),
});
export const PlainPrice = defineRequest<{ item: string }, Price>('prices.plain');
export const shop = { OrderCreated, Plain, getPrice: GetPrice, plainPrice: PlainPrice };

export declare const bus: DiscoBus;
export declare const service: DiscoBusService;
export declare const typed: DiscoBusService<{ orders: Order; 'prices.get': { item: string } }>;
export declare const client: DiscoBusClient;
export declare const stream: ReplyStream;

/** Compiles where the two types are one and the same. */
export declare function same<Expected>(): <Given>(
  value: Given,
  ...differ: (<T>() => T extends Given ? 1 : 2) extends <T>() => T extends Expected ? 1 : 2 ? [] : [never]
) => void;
`;

const values = [
  'Ctx DiscoBusService DiscoContext DiscoEventPattern DiscoMessagePattern DiscoPayload DiscoRecord DiscoSubscribe Payload of',
  'defineRequest defineTopic type v z OrderSchema taken OrderCreated Plain GetPrice PlainPrice shop bus service typed client',
  'stream same',
];
/** Types apart: with decorators, what signatures name is imported as one. */
const types = [
  'DiscoBatchContext DiscoBus DiscoBusClient DiscoBusContext DiscoMessageContext ReplyStream TopicDefinition Observable',
  'Order Price Taken Made',
];

const root = join(__dirname, '../../..');
const folder = join(root, 'test/unit/contract/compiled');
const listed = (names: readonly string[]) =>
  `{ ${names.join(' ').split(' ').join(', ')} } from './prelude.js'`;
const HEAD = `import ${listed(values)}; import type ${listed(types)}; export {};\n`;

/** One mistake that a compiler found: its line counts from 1 within the snippet. */
export interface Mistake {
  readonly line: number;
  readonly code: number;
  readonly message: string;
}

/** Snippets as one program of `compiler`. */
export class Compilation {
  private readonly program: tsc.Program;

  constructor(
    private readonly compiler: Compiler,
    private readonly snippets: Snippets,
  ) {
    const files = new Map([[join(folder, 'prelude.ts'), prelude]]);
    for (const title of Object.keys(snippets)) files.set(this.fileOf(title), HEAD + snippets[title]);
    this.program = programOf(compiler, files);
  }

  /** What is wrong with what all snippets use. */
  get ofPrelude(): readonly Mistake[] {
    return this.mistakesIn(join(folder, 'prelude.ts'), 0);
  }

  mistakes(title: string): readonly Mistake[] {
    return this.mistakesIn(this.fileOf(title), 1);
  }

  /** What an editor shows of the first `name` in the line that has the comment `// <-`. */
  hover(title: string, name: string): string {
    const source = this.program.getSourceFile(this.fileOf(title))!;
    const checker = this.program.getTypeChecker();
    const from = source.text.lastIndexOf('\n', source.text.indexOf('// <-')) + 1;
    let found: string | undefined;
    const visit = (node: tsc.Node): void => {
      if (
        found === undefined &&
        this.compiler.isIdentifier(node) &&
        node.text === name &&
        node.getStart(source) >= from
      )
        found = checker.typeToString(checker.getTypeAtLocation(node));
      this.compiler.forEachChild(node, visit);
    };
    visit(source);
    if (found === undefined) throw new Error(`"${title}" has no ${name} where it is marked`);
    return found;
  }

  private mistakesIn(file: string, head: number): readonly Mistake[] {
    const source = this.program.getSourceFile(file)!;
    const found = [
      ...this.program.getSyntacticDiagnostics(source),
      ...this.program.getSemanticDiagnostics(source),
    ];
    return found.map(({ start, code, messageText }) => ({
      line: source.getLineAndCharacterOfPosition(start!).line + 1 - head,
      code,
      message: this.compiler.flattenDiagnosticMessageText(messageText, '\n'),
    }));
  }

  private fileOf(title: string): string {
    return join(folder, `${Object.keys(this.snippets).indexOf(title)}.ts`);
  }
}

function programOf(compiler: Compiler, files: ReadonlyMap<string, string>): tsc.Program {
  const { config } = compiler.readConfigFile(join(root, 'tsconfig.json'), compiler.sys.readFile);
  const { options } = compiler.parseJsonConfigFileContent(
    { ...config, include: [], files: [] },
    compiler.sys,
    root,
  );
  const host = compiler.createCompilerHost(options, true);
  const { fileExists, readFile, directoryExists } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFile(file);
  host.directoryExists = (path) => path === folder || directoryExists!(path);
  const { getSourceFile } = host;
  host.getSourceFile = (file, ...rest) => {
    const text = files.get(file);
    return text === undefined
      ? getSourceFile(file, ...rest)
      : compiler.createSourceFile(file, text, ...(rest.slice(0, 1) as [tsc.ScriptTarget]), true);
  };
  return compiler.createProgram({ rootNames: [...files.keys()], options, host });
}
