import fc from 'fast-check';
import { isDiscoBusError } from '../../../lib/errors/disco-bus-error.js';
import { joinBundle, readBundle, splitBundle } from '../../../lib/message/bundle.js';
import { decodeFrame, encodeFrame } from '../../../lib/message/frame.js';
import { noHeaders, toHeaders } from '../../../lib/message/headers.js';
import type { OutgoingFrame } from '../../../lib/message/outgoing-frame.js';
import { isRun, readRun } from '../../../lib/message/run-reader.js';
import { RunWriter } from '../../../lib/message/run-writer.js';

const PREFIX = 'source-';

function outgoing(
  number: number,
  body: string | Uint8Array,
  rest: Partial<OutgoingFrame> = {},
): OutgoingFrame {
  return {
    id: PREFIX + number,
    idPrefix: PREFIX,
    idNumber: number,
    timestamp: 1_700_000_000_000,
    headers: noHeaders,
    codec: 0,
    compression: 0,
    body,
    bodyBytes: Buffer.byteLength(body),
    ...rest,
  };
}

function write(frames: readonly OutgoingFrame[]): Buffer {
  const [first, ...rest] = frames;
  const writer = new RunWriter(first);
  for (const frame of rest) {
    expect(writer.takes(frame)).toBe(true);
    writer.add(frame);
  }
  return writer.encode();
}

function codecErrorOrMessages(bytes: Uint8Array): void {
  try {
    readRun(bytes);
  } catch (error) {
    if (!isDiscoBusError(error, 'DISCO_CODEC')) throw error;
  }
}

const bodies = fc.oneof(
  fc.array(fc.string({ unit: 'binary', maxLength: 1_500 }), { minLength: 2, maxLength: 20 }),
  fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 2, maxLength: 20 }),
);

describe('run', () => {
  it('gives back every message with its own id, time and body', () => {
    fc.assert(
      fc.property(bodies, fc.nat({ max: 2 ** 31 - 1 }), fc.nat({ max: 2 ** 20 }), (list, start, gapMs) => {
        const headers = toHeaders({ source: 'web' });
        const codec = typeof list[0] === 'string' ? 0 : 1;
        const frames = list.map((body, index) =>
          outgoing(start + index, body, { headers, codec, timestamp: 1_700_000_000_000 + index * gapMs }),
        );
        const read = readRun(write(frames));
        expect(read.map(({ id, timestamp }) => ({ id, timestamp }))).toEqual(
          frames.map(({ id, timestamp }) => ({ id, timestamp })),
        );
        expect(read.map(({ body }) => Buffer.from(body as string))).toEqual(
          list.map((body) => Buffer.from(body as string)),
        );
        for (const frame of read) {
          expect(frame.headers).toEqual(headers);
          expect(frame.bodyBytes).toBe(Buffer.from(frame.body as string).length);
        }
      }),
    );
  });

  it('tells ids one by one where they do not follow from the first', () => {
    const ids = ['4f1a', 'x', 'zz-'.repeat(60)];
    const frames = ids.map((id) => outgoing(0, `{"id":"${id}"}`, { id, idPrefix: undefined }));
    const read = readRun(write(frames));
    expect(read.map(({ id, body }) => [id, body])).toEqual(frames.map(({ id, body }) => [id, body]));
  });

  it('is a plain frame while it has one message', () => {
    const frame = outgoing(1, '{}');
    expect(new RunWriter(frame).encode()).toEqual(encodeFrame(frame));
  });

  it.each([
    ['another source', { idPrefix: 'other-' }],
    ['an id that follows from nothing', { idPrefix: undefined }],
    ['a gap in the numbers', { idNumber: 3 }],
    ['other headers', { headers: toHeaders({ a: 'b' }) }],
    ['another codec', { codec: 1 }],
    ['compression', { compression: 1 }],
    ['an earlier time', { timestamp: 1_699_999_999_999 }],
    ['bytes behind text', { body: Buffer.from('x') }],
  ])('ends before a message with %s', (_, different) => {
    const writer = new RunWriter(outgoing(1, '1'));
    expect(writer.takes(outgoing(2, '2'))).toBe(true);
    expect(writer.takes(outgoing(2, '2', different))).toBe(false);
  });

  it('stands in a bundle between frames, and is split with it', () => {
    const run = write([outgoing(1, '1'), outgoing(2, '2')]);
    const bundle = joinBundle([encodeFrame(outgoing(0, '0')), run, encodeFrame(outgoing(9, '9'))]);
    const ids = splitBundle(bundle).map((bytes) => decodeFrame(bytes).id);
    expect(ids).toEqual(['source-0', 'source-1', 'source-2', 'source-9']);
    expect(readBundle(bundle).map(({ decoded }) => decoded?.id)).toEqual([
      undefined,
      'source-1',
      'source-2',
      undefined,
    ]);
  });

  it('gives each part bytes of its own that read the same', () => {
    const [, second] = readRun(write([outgoing(1, 'ä'), outgoing(2, 'ö€')]));
    expect(decodeFrame(second.bytes)).toMatchObject({ id: 'source-2', body: Buffer.from('ö€') });
  });

  it('answers any bytes with messages or a CodecError', () => {
    const magic = Buffer.from([0xd1, 0x5c, 1, 0xc0]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) =>
        codecErrorOrMessages(Buffer.concat([magic, bytes])),
      ),
      { numRuns: 5_000 },
    );
  });

  it('survives every change of a single byte', () => {
    const bytes = write([outgoing(1, '{"a":1}'), outgoing(2, '{"a":22}')]);
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x22, 0x7f, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        codecErrorOrMessages(changed);
      }
    }
  });

  it.each([
    ['a count that the bytes cannot hold', [0xff, 0xff, 0xff, 0x07]],
    ['no message at all', [0x03]],
    ['lengths beyond the bodies', [0x08, 0x7f, 0x7f, 0, 0]],
    ['ids beyond the bytes', [0x06, 0x00, 0x00, 0x05, 0x61]],
    ['an empty id', [0x06, 0x01, 0x00, 0x00, 0x31]],
    ['bytes that no length covers', [0x04, 0x00, 0x00, 0x31]],
  ])('refuses %s', (_, table) => {
    const head = Buffer.from('{"id":"a-1","time":1}');
    const bytes = Buffer.concat([Buffer.from([0xd1, 0x5c, 1, 0xc0, head.length]), head, Buffer.from(table)]);
    expect(() => readRun(bytes)).toThrow(expect.objectContaining({ code: 'DISCO_CODEC' }));
  });

  it.each(['a', 'a-', 'a-01', 'a-1x', '7'])('refuses a run whose first id is %j', (id) => {
    const head = Buffer.from(`{"id":"${id}","time":1}`);
    const bytes = Buffer.concat([
      Buffer.from([0xd1, 0x5c, 1, 0xc0, head.length]),
      head,
      Buffer.from([4, 0, 0]),
    ]);
    expect(() => readRun(bytes)).toThrow(expect.objectContaining({ code: 'DISCO_CODEC' }));
  });

  it('refuses compressed text', () => {
    const bytes = write([outgoing(1, '1'), outgoing(2, '2')]);
    bytes[3] |= 1;
    expect(() => readRun(bytes)).toThrow(/Compressed/);
    expect(isRun(bytes[3])).toBe(true);
  });
});
