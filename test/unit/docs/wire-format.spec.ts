import { joinBundle, splitBundle } from '../../../lib/message/bundle.js';
import { decodeFrame, encodeFrame } from '../../../lib/message/frame.js';
import { noHeaders } from '../../../lib/message/headers.js';
import { readRun } from '../../../lib/message/run-reader.js';
import { RunWriter } from '../../../lib/message/run-writer.js';
import { readDocument } from './markdown.js';

const decision = readDocument('docs/adr/0002-frame-and-bundle-format.md');
const [frameExample, bundleExample] = [...decision.matchAll(/```\n([\s\S]*?)```/g)].map(([, block]) => block);

/** The bytes at the start of each line of an example; `…` stands for bytes left out. */
function told(example: string): string[] {
  return example
    .trimEnd()
    .split('\n')
    .map((line) => /^((?:[0-9a-f]{2}|…)(?: (?:[0-9a-f]{2}|…))*)/.exec(line)?.[1] ?? '');
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** Whether `bytes` are what the pattern says, `…` standing for any run of bytes. */
function toPattern(lines: readonly string[]): RegExp {
  const open = lines.join(' ').replace(/ ?… ?/g, '(?: [0-9a-f]{2})* ?');
  return new RegExp(`^${open}$`);
}

const runs = readDocument('docs/adr/0015-runs.md');
const [runExample] = [...runs.matchAll(/```\n([\s\S]*?)```/g)].map(([, block]) => block);

const message = { timestamp: 1_700_000_000_000, codec: 0, compression: 0 };
const first = encodeFrame({ ...message, id: 'a-0', headers: { source: 'web' }, body: '{"total":7}' });
const second = encodeFrame({ ...message, id: 'a-1', headers: {}, body: '{"total":8}' });

describe('the examples of the wire-format decision', () => {
  it('the frame has the bytes and the length that it says', () => {
    expect(decision).toContain(`${first.length} bytes:`);
    expect(told(frameExample)).toHaveLength(6);
    expect(hex(first)).toMatch(toPattern(told(frameExample)));
    expect(decodeFrame(first)).toMatchObject({ id: 'a-0', headers: { source: 'web' } });
  });

  it('the bundle has the bytes and the length that it says', () => {
    const bundle = joinBundle([first, second]);
    expect(decision).toContain(`4 + 1 + ${first.length} + 1 + ${second.length} = ${bundle.length} bytes`);
    expect(told(bundleExample)).toHaveLength(5);
    expect(hex(bundle)).toMatch(toPattern(told(bundleExample)));
    expect(splitBundle(bundle)).toHaveLength(2);
  });

  it('the run has the bytes and the length that it says', () => {
    const numbered = (idNumber: number, timestamp: number, body: string) => {
      const id = { id: `a-${idNumber}`, idPrefix: 'a-', idNumber };
      return { ...message, ...id, timestamp, headers: noHeaders, body, bodyBytes: body.length };
    };
    const writer = new RunWriter(numbered(8, 1_700_000_000_000, '{"total":7}'));
    writer.add(numbered(9, 1_700_000_000_002, '{"total":10}'));
    const bytes = writer.encode();
    expect(runs).toContain(`take ${bytes.length} bytes:`);
    expect(told(runExample)).toHaveLength(8);
    expect(hex(bytes)).toMatch(toPattern(told(runExample)));
    expect(readRun(bytes).map(({ id }) => id)).toEqual(['a-8', 'a-9']);
  });
});
