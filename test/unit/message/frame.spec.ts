import fc from 'fast-check';
import { isDiscoBusError } from '../../../lib/errors/disco-bus-error.js';
import { isBundle, joinBundle, splitBundle } from '../../../lib/message/bundle.js';
import { decodeFrame, encodeFrame, type Frame } from '../../../lib/message/frame.js';
import { noHeaders, toHeaders } from '../../../lib/message/headers.js';

const plain: Frame = {
  id: 'id-1',
  timestamp: 1_700_000_000_000,
  headers: noHeaders,
  codec: 0,
  compression: 0,
  body: '{"a":1}',
};

function frameOrCodecError(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!isDiscoBusError(error, 'DISCO_CODEC')) throw error;
  }
}

const frames = fc.record({
  id: fc.string({ minLength: 1, maxLength: 60 }),
  timestamp: fc.integer({ min: 0, max: 2 ** 45 }),
  headers: fc
    .dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/), fc.string(), { maxKeys: 5 })
    .filter((headers) => !('id' in headers) && !('time' in headers))
    .map(toHeaders),
  codec: fc.integer({ min: 0, max: 7 }),
  compression: fc.integer({ min: 0, max: 3 }),
  body: fc.uint8Array({ maxLength: 300 }),
});

describe('frame', () => {
  it('is laid out as documented', () => {
    const head = '{"id":"id-1","time":1700000000000}';
    const expected = Buffer.concat([
      Buffer.from([0xd1, 0x5c, 1, 0, head.length]),
      Buffer.from(`${head}{"a":1}`),
    ]);
    expect(encodeFrame(plain)).toEqual(expected);
  });

  it('round-trips every field', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const { body, bodyBytes, bodyOwned, ...rest } = decodeFrame(encodeFrame(frame));
        expect({ ...rest, body: Uint8Array.from(body as Uint8Array) }).toEqual(frame);
        expect([bodyBytes, bodyOwned]).toEqual([frame.body.length, false]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives a string body as its UTF-8 bytes', () => {
    expect(decodeFrame(encodeFrame({ ...plain, body: 'ünï€😀' })).body).toEqual(Buffer.from('ünï€😀'));
  });

  it('answers any bytes with a frame or a CodecError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => frameOrCodecError(() => decodeFrame(bytes))),
      { numRuns: 5_000 },
    );
    const magic = Buffer.from([0xd1, 0x5c, 1]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
        frameOrCodecError(() => decodeFrame(Buffer.concat([magic, bytes]))),
      ),
      { numRuns: 5_000 },
    );
  });

  it('answers every one-byte change of a frame with a frame or a CodecError', () => {
    const bytes = encodeFrame({ ...plain, headers: toHeaders({ traceparent: '00-1' }) });
    for (let at = 0; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        frameOrCodecError(() => decodeFrame(changed));
      }
    }
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['foreign bytes', Buffer.from('{"json":true}')],
    ['an unknown version', Buffer.from([0xd1, 0x5c, 2, 0, 0])],
    ['an unknown flag', Buffer.from([0xd1, 0x5c, 1, 0x20, 0])],
    ['a header length beyond the end', Buffer.from([0xd1, 0x5c, 1, 0, 0x7f, 1])],
    ['a header length of six bytes', Buffer.from([0xd1, 0x5c, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a header length longer than it need be', Buffer.from([0xd1, 0x5c, 1, 0, 0x80, 0])],
    ['headers that are no object', raw('[1]')],
    ['headers without an id', raw('{"time":1}')],
    ['an id that is no string', raw('{"id":1,"time":1}')],
    ['headers without a time', raw('{"id":"a"}')],
    ['a header that is no string', raw('{"id":"a","time":1,"x":{}}')],
    ['the header __proto__', raw('{"id":"a","time":1,"__proto__":"x"}')],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeFrame(bytes)).toThrow(expect.objectContaining({ code: 'DISCO_CODEC' }));
  });

  it('refuses headers beyond 64 KiB before writing them', () => {
    const headers = toHeaders({ big: 'x'.repeat(70_000) });
    expect(() => encodeFrame({ ...plain, headers })).toThrow(
      expect.objectContaining({ code: 'DISCO_CODEC' }),
    );
  });

  it('gives headers without a prototype', () => {
    const { headers } = decodeFrame(encodeFrame({ ...plain, headers: toHeaders({ constructor: 'x' }) }));
    expect(Object.getPrototypeOf(headers)).toBeNull();
    expect(headers.toString).toBeUndefined();
  });
});

describe('headers', () => {
  it.each([
    [{ 'a b': 'x' }],
    [{ a: 1 }],
    [{ id: 'x' }],
    [{ Time: 'x' }],
    ['x'],
    [null],
    [['x']],
    [JSON.parse('{"__proto__":"x"}')],
  ])('refuses %p', (given) => {
    expect(() => toHeaders(given as never)).toThrow(
      expect.objectContaining({ code: 'DISCO_MESSAGE_INVALID' }),
    );
  });

  it('lower-cases names and copies', () => {
    const given = { 'X-Trace': 'a' };
    const headers = toHeaders(given);
    given['X-Trace'] = 'b';
    expect({ ...headers }).toEqual({ 'x-trace': 'a' });
  });
});

describe('bundle', () => {
  it('round-trips any frames in order', () => {
    fc.assert(
      fc.property(fc.array(frames, { minLength: 1, maxLength: 40 }), (list) => {
        const encoded = list.map(encodeFrame);
        const bundle = joinBundle(encoded);
        expect(isBundle(bundle)).toBe(true);
        expect(splitBundle(bundle).map((bytes) => Buffer.from(bytes))).toEqual(encoded);
      }),
      { numRuns: 300 },
    );
  });

  it('answers any bytes with frames or a CodecError', () => {
    const magic = Buffer.from([0xd1, 0x5c, 1, 0x80]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) =>
        frameOrCodecError(() => splitBundle(Buffer.concat([magic, bytes]))),
      ),
      { numRuns: 5_000 },
    );
  });

  it('refuses an empty, a truncated and a nested bundle, and a single frame', () => {
    const one = joinBundle([encodeFrame(plain)]);
    for (const bytes of [
      one.subarray(0, 4),
      one.subarray(0, one.length - 1),
      joinBundle([one]),
      encodeFrame(plain),
    ]) {
      expect(() => splitBundle(bytes)).toThrow(expect.objectContaining({ code: 'DISCO_CODEC' }));
    }
  });

  it('is no message', () => {
    expect(() => decodeFrame(joinBundle([encodeFrame(plain)]))).toThrow(/bundle/);
  });
});

function raw(head: string): Buffer {
  return Buffer.concat([Buffer.from([0xd1, 0x5c, 1, 0, head.length]), Buffer.from(head)]);
}
