import { readBundle } from '../../../lib/message/bundle.js';
import {
  BUNDLE_FLAG,
  MAX_BUNDLE_MESSAGES,
  RUN_FLAG,
  startFrame,
  writeFixed,
} from '../../../lib/message/frame.js';
import { writeVarint } from '../../../lib/message/varint.js';

const refusal = new RegExp(`holds more than ${MAX_BUNDLE_MESSAGES} messages`);

test('a run that says it holds more messages than writers make is refused before its table is read', () => {
  const run = startFrame('{"id":"a-1","time":1}', BUNDLE_FLAG | RUN_FLAG, 1_000_004);
  writeVarint(run.fill(0, run.length - 1_000_004), 500_000 * 4, run.length - 1_000_004);
  const startedMs = performance.now();
  expect(() => readBundle(run)).toThrow(refusal);
  expect(performance.now() - startedMs).toBeLessThan(50);
});

test('a bundle of a million frames without bytes is refused', () => {
  const bundle = Buffer.alloc(1_000_000);
  writeFixed(bundle, BUNDLE_FLAG);
  const startedMs = performance.now();
  expect(() => readBundle(bundle)).toThrow(refusal);
  expect(performance.now() - startedMs).toBeLessThan(50);
});
