import { z } from 'zod';
import { asyncApi } from '../../../lib/asyncapi/async-api.js';
import { contractChanges } from '../../../lib/asyncapi/contract-changes.js';
import { type SchemaEffect, schemaChanges } from '../../../lib/asyncapi/schema-changes.js';
import { defineTopic } from '../../../lib/contract/define.js';
import type { Contract } from '../../../lib/contract/definition.js';

type Row = readonly [what: string, old: unknown, next: unknown, effects: readonly SchemaEffect[]];

const object = (properties: object, required: string[] = [], more: object = {}) => {
  return { type: 'object', properties, required, ...more };
};
const text = { type: 'string' };
const number = { type: 'number' };
const list = { type: 'object', properties: { next: { $ref: '#' }, n: number } };

const rows: readonly Row[] = [
  ['nothing', object({ a: text }, ['a']), object({ a: text }, ['a']), []],
  ['a description', { ...text, description: 'x' }, { ...text, title: 'y' }, []],
  ['another type', text, number, ['narrowed', 'widened']],
  ['integer to number', { type: 'integer' }, number, ['widened']],
  ['number to integer', number, { type: 'integer' }, ['narrowed']],
  ['a type more', text, { type: ['string', 'null'] }, ['widened']],
  ['any type to one', {}, text, ['narrowed']],
  ['an enum value gone', { enum: ['a', 'b'] }, { enum: ['a'] }, ['narrowed']],
  ['an enum value more', { enum: ['a'] }, { enum: ['a', 'b'] }, ['widened']],
  ['a constant from a text', text, { ...text, const: 'a' }, ['narrowed']],
  ['an optional field gone', object({ a: text }), object({}), ['widened']],
  [
    'a field gone, and none else taken',
    object({ a: text }),
    object({}, [], { additionalProperties: false }),
    ['widened', 'narrowed', 'narrowed'],
  ],
  ['a field made required', object({ a: text }), object({ a: text }, ['a']), ['narrowed']],
  ['a field made optional', object({ a: text }, ['a']), object({ a: text }), ['widened']],
  ['an optional field more', object({}), object({ a: text }), ['added']],
  ['a required field more', object({}), object({ a: text }, ['a']), ['narrowed']],
  [
    'a field more of a closed object',
    object({}, [], { additionalProperties: false }),
    object({ a: text }, [], { additionalProperties: false }),
    ['added', 'widened'],
  ],
  ['an object closed', object({}), object({}, [], { additionalProperties: false }), ['narrowed']],
  [
    'values of a record',
    object({}, [], { additionalProperties: text }),
    object({}, [], { additionalProperties: number }),
    ['narrowed', 'widened'],
  ],
  [
    'a field within a list',
    { type: 'array', items: object({ a: text }) },
    { type: 'array', items: object({ a: number }) },
    ['narrowed', 'widened'],
  ],
  ['a higher minimum', { ...number, minimum: 1 }, { ...number, minimum: 2 }, ['narrowed']],
  ['a lower maximum', { ...text, maxLength: 9 }, { ...text, maxLength: 8 }, ['narrowed']],
  ['a maximum gone', { ...text, maxLength: 9 }, text, ['widened']],
  ['a format', text, { ...text, format: 'email' }, ['narrowed']],
  ['another format', { ...text, format: 'date' }, { ...text, format: 'email' }, ['unknown']],
  ['alternatives in another order', { anyOf: [text, number] }, { oneOf: [number, text] }, []],
  ['an alternative more', text, { anyOf: [text, { type: 'null' }] }, ['widened']],
  ['an alternative gone', { anyOf: [text, number] }, { anyOf: [text] }, ['narrowed']],
  [
    'one alternative changed',
    { anyOf: [text, object({ a: text })] },
    { anyOf: [text, object({ a: text }, ['a'])] },
    ['narrowed'],
  ],
  [
    'several alternatives changed',
    { anyOf: [text, number] },
    { anyOf: [{ type: 'null' }, { type: 'boolean' }] },
    ['unknown'],
  ],
  ['what it does not know', { not: text }, { not: number }, ['unknown']],
  [
    'what it does not know, the same',
    { allOf: [text, { minLength: 2 }] },
    { allOf: [text, { minLength: 2 }] },
    [],
  ],
  ['a schema that means itself', list, { ...list }, []],
  [
    'a part of one that means itself',
    list,
    { ...list, properties: { ...list.properties, n: text } },
    ['narrowed', 'widened'],
  ],
  ['a reference to nothing', { $ref: '#/nowhere' }, text, ['unknown']],
];

describe('Changes of a schema', () => {
  it.each(rows)('%s', (_, old, next, effects) => {
    // As a message refers to its payload.
    const schema = { $ref: '#' };
    const changes = schemaChanges({ schema, document: old }, { schema, document: next });
    expect(changes.map(({ effect }) => effect)).toEqual(effects);
  });
});

describe('Changes of a contract', () => {
  const info = { title: 'x', version: '1' };
  async function changesOf(old: Contract, next: Contract) {
    const [before, now] = await Promise.all([asyncApi(old, { info }), asyncApi(next, { info })]);
    return contractChanges(before.document, now.document);
  }
  const schema = z.object({ id: z.string() });
  const key = ({ id }: { id: string }) => id;
  const plain = { t: defineTopic('t', { schema }) };

  it.each<[string, Contract, string]>([
    ['the topic gone', {}, 'the topic is gone'],
    [
      'the guarantee',
      { t: defineTopic('t', { schema, delivery: 'at-most-once' }) },
      'delivery "at-least-once" is now',
    ],
    ['the wire', { t: defineTopic('t', { schema, wire: 'go' }) }, 'wire "disco" is now "go"'],
    ['the key', { t: defineTopic('t', { schema, key }) }, 'key false is now true'],
    ['the order', { t: defineTopic('t', { schema, key, orderBy: 'key' }) }, 'orderBy unsaid is now "key"'],
  ])('%s breaks it', async (_, next, text) => {
    const breaking = (await changesOf(plain, next)).filter(({ level }) => level === 'breaking');
    expect(breaking.map((each) => each.text)).toContainEqual(expect.stringContaining(text));
  });

  it('a guarantee that is said and was meant before is no change', async () => {
    expect(await changesOf(plain, { t: defineTopic('t', { schema, delivery: 'at-least-once' }) })).toEqual(
      [],
    );
  });

  it('a version that old handlers give up breaks it, and one that they let wait does not', async () => {
    const upgrade = ({ id }: { id: string }) => ({ id, more: '' });
    const more = z.object({ id: z.string(), more: z.string() });
    const ordered = defineTopic('t', { schema, orderBy: 'key', key });
    const [waits] = await changesOf(plain, { t: plain.t.version(2, { schema: more, upgrade }) });
    const [givenUp] = await changesOf({ ordered }, { t: ordered.version(2, { schema: more, upgrade }) });
    expect([waits.level, givenUp.level]).toEqual(['compatible', 'breaking']);
    const [gone] = await changesOf({ t: plain.t.version(2, { schema: more, upgrade }) }, plain);
    expect(gone).toMatchObject({ level: 'breaking', version: 2, text: 'version 2 is gone' });
  });

  it('types without a schema cannot be compared', async () => {
    const typed = { t: defineTopic<string>('t') };
    expect(await changesOf(typed, typed)).toMatchObject([
      { level: 'unknown', text: 'it has no JSON Schema' },
    ]);
  });
});
