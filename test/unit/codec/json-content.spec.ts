import { JsonCodec } from '../../../lib/codec/json.codec.js';

const json = new JsonCodec();

class Account {
  name = 'a';
  readonly #balance = 5;

  get balance(): number {
    return this.#balance;
  }
}

class Empty {}

class Failure extends Error {
  status = 500;
}

/** Builds a query when it is awaited, as query builders do. */
class Query {
  table = 'orders';

  // biome-ignore lint/suspicious/noThenProperty: that is what is tried
  then(): void {}
}

const sparse = ['a', 'b'];
sparse.length = 3;

function args(..._: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: that is what is tried
  return arguments;
}

describe('What JSON would drop, empty or replace', () => {
  it.each<[string, unknown]>([
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a WeakMap', new WeakMap()],
    ['a WeakSet', new WeakSet()],
    ['an Error', new TypeError('no')],
    ['an Error', new Failure('own properties')],
    ['a promise', Promise.resolve(1)],
    ['a promise', new Query()],
    ['a RegExp', /x/],
    ['a URLSearchParams', new URLSearchParams('a=1')],
    ['a Headers', new Headers({ a: '1' })],
    ['a Map Iterator', new Map([[1, 2]]).values()],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['a DataView', new DataView(new ArrayBuffer(2))],
    ['a Float64Array', new Float64Array([1.5])],
    ['a Uint8Array', new Uint8Array([1])],
    ['an invalid Date', new Date(Number.NaN)],
    ['NaN', Number.NaN],
    ['NaN', new Number(Number.NaN)],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a function', Account],
    ['a symbol', Symbol('x')],
    ['a bigint', { toJSON: () => 1n }],
    ['a function', { toJSON: () => () => 1 }],
  ])('is refused: %s, with its path', (what, value) => {
    const refusal = (path: string) =>
      expect.objectContaining({
        code: 'DISCO_CODEC',
        path,
        message: `The payload cannot be written as JSON: ${path || 'it'} is ${what}`,
      });
    expect(() => json.encode({ order: { items: [{}, {}, { tags: value }] } })).toThrow(
      refusal('order.items[2].tags'),
    );
    expect(() => json.encode([value])).toThrow(refusal('[0]'));
    expect(() => json.encode({ form: { toJSON: () => ({ inner: [value] }) } })).toThrow(
      refusal('form.inner[0]'),
    );
    expect(() => json.encode(value)).toThrow(refusal(''));
  });

  it('is refused: holes and undefined in arrays, which would become null', () => {
    expect(() => json.encode({ list: sparse })).toThrow('list[2] is a hole in an array');
    expect(() => json.encode({ list: [1, undefined] })).toThrow('list[1] is undefined in an array');
  });

  it('is named by a path that can be read, and that is no payload', () => {
    expect(() => json.encode({ 'two words': { ünï: Number.NaN } })).toThrow('["two words"].ünï is NaN');
    const key = 'k'.repeat(5_000);
    expect(() => json.encode({ [key]: { [key]: Number.NaN } })).toThrow(/^.{150,300}$/);
  });
});

describe('What arrives as it was sent', () => {
  const at = new Date(0);
  it.each<[string, unknown, string]>([
    ['undefined properties are missing ones', { a: 1, b: undefined }, '{"a":1}'],
    ['symbol keys are nobody’s business', { a: 1, [Symbol('x')]: () => 1 }, '{"a":1}'],
    ['a date', { at }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['a Buffer, as Node writes it', { b: Buffer.from([1]) }, '{"b":{"type":"Buffer","data":[1]}}'],
    ['a URL', [new URL('http://a/')], '["http://a/"]'],
    ['-0, which equals 0', [-0], '[0]'],
    ['boxed primitives', [new Number(1), new String('a'), new Boolean(false)], '[1,"a",false]'],
    ['instances with properties', new Account(), '{"name":"a"}'],
    ['an event without content', new Empty(), '{}'],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['toJSON of an instance', { m: Object.assign(new Map(), { toJSON: () => [1] }) }, '{"m":[1]}'],
    ['toJSON of an Error', Object.assign(new Error('x'), { toJSON: () => ({ x: 1 }) }), '{"x":1}'],
    ['toJSON that is not asked twice', { toJSON: () => ({ a: 1, b: undefined }) }, '{"a":1}'],
    ['inherited functions', Object.create({ inherited: () => 1 }), '{}'],
    ['what a tag calls otherwise', { v: { [Symbol.toStringTag]: 'Version', n: 1 } }, '{"v":{"n":1}}'],
    ['the same object twice', ((a) => [a, a])({ x: 1 }), '[{"x":1},{"x":1}]'],
    ['arguments', args(1, 'a'), '{"0":1,"1":"a"}'],
  ])('%s', (_, value, text) => {
    expect(json.encode(value).data).toBe(text);
  });

  it('bigint, where the application has said how', () => {
    const prototype = BigInt.prototype as { toJSON?: () => string };
    prototype.toJSON = function (this: bigint) {
      return String(this);
    };
    try {
      expect(json.encode({ id: 5n }).data).toBe('{"id":"5"}');
    } finally {
      delete prototype.toJSON;
    }
  });

  it('a toJSON is told its key, and what it throws is the cause', () => {
    const keys: string[] = [];
    const told = { toJSON: (key: string) => keys.push(key) };
    json.encode({ first: told, list: [told] });
    expect(new Set(keys)).toEqual(new Set(['first', '0']));
    const cause = new Error('mine');
    const throwing = () => {
      throw cause;
    };
    expect(() => json.encode({ a: { toJSON: throwing } })).toThrow(
      expect.objectContaining({ code: 'DISCO_CODEC', cause }),
    );
  });

  it('a Buffer counts its levels', () => {
    const wrap = (levels: number) => {
      let value: unknown = Buffer.from('a');
      for (let level = 0; level < levels; level++) value = [value];
      return value;
    };
    expect(() => json.encode(wrap(62))).not.toThrow();
    expect(() => json.encode(wrap(63))).toThrow('deeper');
  });

  it('a cycle with many branches is refused at once', () => {
    const knot: Record<string, unknown> = {};
    for (const key of 'abcdefgh') knot[key] = knot;
    expect(() => json.encode(knot)).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }));
  });
});
