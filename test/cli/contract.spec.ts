import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { checkedDocument } from '../unit/asyncapi/checked-document.js';
import { CommandLine } from './support.js';

const cli = new CommandLine(() => ({}));
const folder = mkdtempSync(join(tmpdir(), 'disco-contract-'));
afterEach(() => cli.stop());
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);

/** A module as a package of contracts would have it: compiled, with a copy of the library of its own. */
function module(name: string, body: string): string {
  const contents = `import { defineRequest, defineTopic } from 'nestjs-disco-bus/contract';
import { z } from 'zod';
${body}`;
  buildSync({
    stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
    alias: { 'nestjs-disco-bus/contract': join(process.cwd(), 'lib/contract/index.ts') },
    outfile: at(name),
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  return at(name);
}

const person =
  "defineTopic('people.named', { schema: z.object({ name: z.string(), role: z.enum(['a', 'b']) }) })";
const price =
  "defineRequest('prices.get', { schema: z.string(), reply: z.object({ cents: z.number() }), requestTimeout: '2s' })";
let old: string;

beforeAll(() => {
  old = module('old.mjs', `export const PersonNamed = ${person};\nexport default { GetPrice: ${price} };`);
});

describe('disco-bus contract export', () => {
  it('prints the document of what a module exports by name and by default', async () => {
    const { exitCode, stdout, stderr } = await cli.run(['contract', 'export', old]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { parsed, json } = await checkedDocument(JSON.parse(stdout));
    expect(parsed.channels().map((each) => each.address())).toEqual(
      expect.arrayContaining(['people.named', 'prices.get']),
    );
    expect(json.info).toEqual({ title: 'old', version: '0.0.0' });
  });

  it('writes it to a file under its title, and says on stderr what it cannot tell', async () => {
    const typed = module('typed.mjs', "export const contract = { typed: defineTopic('typed') };");
    const words = ['--out', at('typed.json'), '--title', 'Shop', '--api-version', '2.0.0'];
    const { exitCode, stdout, stderr } = await cli.run(['contract', 'export', typed, ...words]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain('"typed": the document has no payload: it has a type and no schema');
    const document = JSON.parse(readFileSync(at('typed.json'), 'utf8'));
    expect((await checkedDocument(document)).json.info).toEqual({ title: 'Shop', version: '2.0.0' });
  });

  it.each([
    ['nothing that is one', 'export const x = { y: 1 };', 2, /exports nothing made by defineTopic/],
    ['a failure', "throw new Error('not today');", 1, /failed as it was loaded: not today/],
    [
      'two of one name',
      "export const a = defineTopic('a'), b = defineTopic('a');",
      1,
      /"a" is defined twice/,
    ],
  ])('refuses a module that has %s', async (_, body, code, said) => {
    const { exitCode, stdout, stderr } = await cli.run(['contract', 'export', module('bad.mjs', body)]);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
    expect(stderr).toMatch(said);
  });

  it.each([
    ['there is none', 'nowhere.mjs', undefined, /cannot be loaded/],
    ['is TypeScript', 'x.ts', 'export {};', /is no JavaScript: give what it is compiled to/],
    ['is no JSON', 'x.json', '{', /cannot be read as JSON: malformed/],
    ['is another document', 'y.json', '{ "openapi": "3.1.0" }', /is no AsyncAPI 3 document/],
  ])('refuses a file where %s', async (_, name, content, said) => {
    if (content !== undefined) writeFileSync(at(name), content);
    const { exitCode, stderr } = await cli.run(['contract', 'export', at(name)]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(said);
  });
});

describe('disco-bus contract check', () => {
  async function checked(body: string, ...words: string[]) {
    const { exitCode, stdout } = await cli.run([
      'contract',
      'check',
      old,
      module('new.mjs', body),
      '--json',
      ...words,
    ]);
    return { exitCode, ...JSON.parse(stdout) };
  }
  const both = (topic: string, request = price) => `export const p = ${topic};\nexport const g = ${request};`;

  it('finds nothing in a contract and in the document that was made of it', async () => {
    expect(await cli.run(['contract', 'export', old, '--out', at('old.json')])).toMatchObject({
      exitCode: 0,
    });
    const { exitCode, stdout } = await cli.run(['contract', 'check', at('old.json'), old]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: '0 breaking changes, 0 that cannot be compared, 0 compatible\n',
    });
  });

  it('ends with 7 for what breaks, and says whose release it breaks', async () => {
    const changed = person
      .replace("'b'", "'c'")
      .replace('name: z.string()', 'name: z.number(), note: z.string().optional()');
    const { exitCode, stdout } = await cli.run(['contract', 'check', old, module('new.mjs', both(changed))]);
    expect(exitCode).toBe(7);
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'breaking: "people.named", payload, role: "b" no longer fits (the new release refuses what the old one sent)',
        'breaking: "people.named", payload, role: "c" fits as well (the old release refuses, or misses, what the new one sends)',
        'compatible: "people.named", payload, note: a new field, optional',
        '4 breaking changes, 0 that cannot be compared, 1 compatible',
      ]),
    );
  });

  it('takes a new version, a new topic and other retries for compatible', async () => {
    const two = `${person}.version(2, { schema: z.object({ id: z.string() }), upgrade: ({ name }) => ({ id: name }), retry: { attempts: 9 } })`;
    const body = `${both(two)}\nexport const more = defineTopic('more', { schema: z.string() });`;
    expect(await checked(body)).toMatchObject({
      exitCode: 0,
      breaking: 0,
      unknown: 0,
      changes: expect.arrayContaining([
        expect.objectContaining({ topic: 'people.named', version: 2, level: 'compatible' }),
        expect.objectContaining({ topic: 'more', level: 'compatible' }),
      ]),
    });
  });

  it('spares the old release where handlers are deployed first', async () => {
    const wider = both(person.replace("'b'", "'b', 'c'"));
    expect(await checked(wider)).toMatchObject({ exitCode: 7, breaking: 1 });
    expect(await checked(wider, '--handlers-first')).toMatchObject({
      exitCode: 0,
      breaking: 0,
      compatible: 1,
    });
    const reply = both(person, price.replace('cents: z.number()', 'cents: z.number().or(z.string())'));
    expect(await checked(reply, '--handlers-first')).toMatchObject({
      exitCode: 7,
      changes: [expect.objectContaining({ part: 'reply', path: 'cents', breaks: 'old-readers' })],
    });
  });

  it('never takes what it cannot compare for compatible', async () => {
    const changed = both(person.replace('name: z.string()', 'name: z.string().regex(/^a/)'));
    const twice = module('once.mjs', changed);
    const other = module('twice.mjs', changed.replace('^a', '^b'));
    const { exitCode, stdout } = await cli.run(['contract', 'check', twice, other]);
    expect(exitCode).toBe(7);
    expect(stdout).toMatch(/^unknown: .*name: pattern .* \(it cannot be compared: look yourself\)$/m);
    const told = await cli.run(['contract', 'check', twice, other, '--allow-unknown']);
    expect(told).toMatchObject({ exitCode: 0, stdout });
  });

  it('is completed by a shell', async () => {
    const { stdout } = await cli.run(['completion', 'bash']);
    expect(stdout).toContain('"contract check") words="--handlers-first --allow-unknown --json --help"');
  });
});
