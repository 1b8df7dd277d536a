import { CodecError } from '../../../lib/errors/message.errors.js';
import { joinBundle, readBundle } from '../../../lib/message/bundle.js';
import {
  BUNDLE_FLAG,
  endOfHead,
  MAX_BUNDLE_MESSAGES,
  RUN_FLAG,
  startFrame,
  writeFixed,
} from '../../../lib/message/frame.js';
import { MAX_HEADER_BYTES, writeHead } from '../../../lib/message/frame-head.js';
import { noHeaders } from '../../../lib/message/headers.js';
import type { OutgoingFrame } from '../../../lib/message/outgoing-frame.js';
import { RunWriter } from '../../../lib/message/run-writer.js';
import { writeVarint } from '../../../lib/message/varint.js';

const message: OutgoingFrame = {
  id: 'a-1',
  idPrefix: 'a-',
  idNumber: 1,
  timestamp: 1,
  headers: noHeaders,
  codec: 0,
  compression: 0,
  body: '1',
  bodyBytes: 1,
};
/** The least that each of five refusals took: what the machine did beside them is in the others. */
function refusedWithinMs(frame: Uint8Array): number {
  const tookMs = Array.from({ length: 5 }, () => {
    const startedMs = performance.now();
    expect(() => readBundle(frame)).toThrow(refusal);
    return performance.now() - startedMs;
  });
  return Math.min(...tookMs);
}

const refusal = new RegExp(`holds more than ${MAX_BUNDLE_MESSAGES} messages`);

test('a run that says it holds more messages than writers make is refused before its table is read', () => {
  const run = startFrame('{"id":"a-1","time":1}', BUNDLE_FLAG | RUN_FLAG, 1_000_004);
  writeVarint(run.fill(0, run.length - 1_000_004), 500_000 * 4, run.length - 1_000_004);
  expect(refusedWithinMs(run)).toBeLessThan(50);
});

test('a bundle of frames without bytes is refused at the first', () => {
  const bundle = Buffer.alloc(1_000_000);
  writeFixed(bundle, BUNDLE_FLAG);
  expect(() => readBundle(bundle)).toThrow(/not a Disco frame/);
});

test.each([
  ['stands for a run', RUN_FLAG],
  ['has flags that there are not', 0x20],
])('a bundle with a part that %s is refused whole', (_, flags) => {
  const good = startFrame('{"id":"a","time":1}', 0, 0);
  const bad = startFrame('{"id":"b","time":1}', flags, 0);
  expect(() => readBundle(joinBundle([good, bad, good]))).toThrow(CodecError);
});

const runOf = (count: number, headersBytes: number, id: string) => {
  const first = { ...message, id: `${id}1`, idPrefix: id, idNumber: 1 };
  const headers = { a: 'x'.repeat(headersBytes) };
  const run = new RunWriter({ ...first, headers: noHeaders });
  for (let n = 1; n < count; n++) run.add({ ...first, headers: noHeaders });
  const plain = run.encode();
  const headBytes = endOfHead(plain);
  const head = writeHead({ id: first.id, timestamp: 1, headers });
  return Buffer.concat([startFrame(head, plain[3], 0), plain.subarray(headBytes)]);
};

test('a run whose headers would take more than 16 MiB in its messages is refused, and is not written', () => {
  expect(readBundle(runOf(200, 60_000, 'a-'))).toHaveLength(200);
  expect(() => readBundle(runOf(4_096, 60_000, 'a-'))).toThrow(/exceed 16777216 bytes/);
  const headers = { a: 'x'.repeat(60_000) };
  const run = new RunWriter({ ...message, headers });
  let takes = 1;
  for (; takes < 4_096 && run.takes({ ...message, headers, idNumber: 1 + takes }); takes++)
    run.add({ ...message, headers, idNumber: 1 + takes });
  expect(takes).toBeLessThan(300);
});

test('a run with a message that could not stand alone is refused', () => {
  const roomless = MAX_HEADER_BYTES - Buffer.byteLength('{"id":"a-1","time":1,"a":""}');
  expect(readBundle(runOf(8, roomless, 'a-'))).toHaveLength(8);
  expect(() => readBundle(runOf(9, roomless + 1, 'a-'))).toThrow(CodecError);
  expect(() => readBundle(runOf(10, roomless, 'a-'))).toThrow(CodecError);
});

test('a bundle of more frames than writers make is refused at the first that is too many', () => {
  const bundle = joinBundle(Array<Uint8Array>(400_000).fill(startFrame('', 0, 0)));
  expect(refusedWithinMs(bundle)).toBeLessThan(50);
});
