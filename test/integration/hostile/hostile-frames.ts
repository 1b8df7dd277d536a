import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { joinBundle } from '../../../lib/message/bundle.js';
import { BUNDLE_FLAG, RUN_FLAG, startFrame } from '../../../lib/message/frame.js';
import { writeVarint } from '../../../lib/message/varint.js';

/** Bytes that somebody sends who means no good, and what is to become of them. */
export interface HostileFrame {
  readonly name: string;
  /** Made when it is needed: some are large. */
  readonly bytes: () => Uint8Array;
  /** Messages that are given up as undecodable. */
  readonly undecodable: number;
  /** Messages in it that there is nothing wrong with. @default 0 */
  readonly handled?: number;
  /** The longest that the event loop may stand still. Milliseconds. @default 50 */
  readonly stillMs?: number;
}

const MIB = 1024 * 1024;
const HEAD = '{"id":"a-1","time":1}';
const GZIP = 1;

/** A frame of one message. */
function single(body: string | Uint8Array, flags = 0, head = HEAD): Buffer {
  const rest = Buffer.from(body as string);
  const bytes = startFrame(head, flags, rest.length);
  bytes.set(rest, bytes.length - rest.length);
  return bytes;
}

/** A run that says in its table what it is told to. `count`: messages, times four, and the two flags. */
function run(count: readonly number[], table: readonly number[] | Uint8Array, bodies: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(count), Buffer.from(table as Uint8Array), bodies]);
  return single(rest, BUNDLE_FLAG | RUN_FLAG);
}

function varint(value: number): number[] {
  const bytes = new Uint8Array(5);
  return [...bytes.subarray(0, writeVarint(bytes, value, 0))];
}

/** Parts without a look at what they are. */
function bundle(...parts: readonly Uint8Array[]): Buffer {
  return joinBundle(parts);
}

const noise = (bytes: number) => randomBytes(bytes);
const zeros = (count: number) => Array<number>(count).fill(0);
const good = single('"fine"');
const of = (count: number, value: number) => Array<number>(count).fill(value);

/** ioredis joins what it reads of so large a frame, and the sender, which is this process too, has written it: each is a copy. */
const LARGE_STILL_MS = 150;
const large = (name: string, bytes: () => Uint8Array): HostileFrame => ({
  ...one(name, bytes),
  stillMs: LARGE_STILL_MS,
});
const one = (name: string, bytes: () => Uint8Array): HostileFrame => ({ name, bytes, undecodable: 1 });

/** At least ten of each kind of lie. */
export const hostileFrames: readonly HostileFrame[] = [
  one('no bytes', () => Buffer.alloc(0)),
  one('random bytes', () => noise(1_000)),
  one('magic and random bytes', () => Buffer.concat([Buffer.from([0xd1, 0x5c, 1, 0]), noise(1_000)])),
  large('10 MB of random bytes', () => noise(10_000_000)),
  large('a frame beyond the limit', () => single(noise(11 * MIB))),
  large('bytes beyond the limit', () => noise(11 * MIB)),
  one('a frame that ends in its head', () => good.subarray(0, 12)),
  one('a head length of 2 GiB', () => Buffer.from([0xd1, 0x5c, 1, 0, 0xff, 0xff, 0xff, 0xff, 7])),
  one('a head length that overflows', () =>
    Buffer.concat([Buffer.from([0xd1, 0x5c, 1, 0]), Buffer.alloc(9, 0xff)]),
  ),
  one('a head beyond 64 KiB', () => single('1', 0, `{"id":"a","time":1,"a":"${'x'.repeat(65_536)}"}`)),
  one('the header __proto__', () => single('1', 0, '{"id":"a","time":1,"__proto__":"x"}')),
  one('a time that is infinite', () => single('1', 0, '{"id":"a","time":1e999}')),
  one('a body of no JSON', () => single('{"a":')),
  one('invalid UTF-8', () => single(Buffer.from([0x22, 0xc3, 0x28, 0xff, 0x22]))),
  one('the key __proto__', () => single('{"__proto__":{"polluted":true}}')),
  one('the key __proto__ in escapes', () => single('{"\\u005f_proto__":{"polluted":true}}')),
  {
    name: 'the keys constructor and prototype, which harm nobody',
    bytes: () => single('{"constructor":{"prototype":{"polluted":true}}}'),
    undecodable: 0,
    handled: 1,
  },
  large('5 MB of opening brackets', () => single('['.repeat(5_000_000))),
  one('an unknown codec', () => single('1', 5 << 2)),
  one('an unknown compression', () => single('1', 3)),
  one('gzip that is cut', () => single(gzipSync(Buffer.from('"fine"')).subarray(0, -3), GZIP)),
  one('gzip of nothing', () => single('', GZIP)),
  one('a gzip bomb', () => single(gzipSync(Buffer.alloc(100_000_000)), GZIP)),
  {
    name: '40 gzip bombs in a bundle',
    bytes: () => bundle(...Array<Buffer>(40).fill(single(gzipSync(Buffer.alloc(10 * MIB - 1)), GZIP))),
    undecodable: 40,
    // Each holds as much as one message may: text of that size is decoded and parsed in one go, which nothing can divide.
    stillMs: 3 * LARGE_STILL_MS,
  },
  {
    name: '40 gzip bombs in a bundle that hide what they hold',
    bytes: () => {
      const bomb = gzipSync(Buffer.alloc(10 * MIB));
      bomb.writeUInt32LE(200_000, bomb.length - 4);
      return bundle(...Array<Buffer>(40).fill(single(bomb, GZIP)));
    },
    undecodable: 40,
  },
  {
    name: '4096 bodies of gzip, in a run',
    bytes: () => {
      const body = gzipSync(Buffer.from(`"${'x'.repeat(100_000)}"`));
      const count = 4_096;
      const table = [...Array<number[]>(count).fill(varint(body.length)).flat(), ...zeros(count)];
      const rest = [Buffer.from(varint(count * 4)), Buffer.from(table), ...Array<Buffer>(count).fill(body)];
      return single(Buffer.concat(rest), BUNDLE_FLAG | RUN_FLAG | GZIP);
    },
    undecodable: 0,
    handled: 4_096,
  },
  {
    name: '4096 bodies of no JSON, in a run',
    bytes: () => run(varint(4_096 * 4), [...of(4_096, 1), ...zeros(4_096)], Buffer.alloc(4_096, '{')),
    undecodable: 4_096,
    // So many outcomes of one turn are written to the server in one go.
    stillMs: LARGE_STILL_MS,
  },
  one('a run of 500,000 messages, 1 MB', () =>
    run(varint(500_000 * 4), Buffer.alloc(1_000_000), Buffer.alloc(0)),
  ),
  large('a run of 5,000,000 messages, 10 MB', () =>
    run(varint(5_000_000 * 4), Buffer.alloc(10_000_000), Buffer.alloc(0)),
  ),
  one('a run of no messages', () => run([0], [], Buffer.alloc(0))),
  one('a run that says five messages and holds three', () =>
    run(varint(20), [1, 1, 1, 0, 0, 0], Buffer.from('123')),
  ),
  one('a run that says two messages and holds three', () => run(varint(8), [1, 1, 0, 0], Buffer.from('123'))),
  one('a run whose count overflows', () => run([0xff, 0xff, 0xff, 0xff, 0xff], [], Buffer.alloc(9))),
  one('a run whose count is longer than it need be', () => run([0x84, 0], [1, 0], Buffer.from('1'))),
  one('a run with bodies of 2 GiB', () =>
    run(varint(8), [...varint(0x7fffffff), ...varint(0x7fffffff), 0, 0], Buffer.from('12')),
  ),
  one('a run with ids of control characters', () => run(varint(6), [1, 0, 2], Buffer.from([0, 0x22, 0x31]))),
  one('a run of text that is no UTF-8', () => run(varint(5), [4, 0], Buffer.from([0x22, 0xc3, 0x28, 0x22]))),
  one('a run of 64 KiB of headers for each of 4096 messages', () =>
    single(
      Buffer.from([...varint(4_096 * 4), ...of(4_096, 1), ...zeros(4_096), ...of(4_096, 0x31)]),
      BUNDLE_FLAG | RUN_FLAG,
      `{"id":"a-1","time":1,"a":"${'x'.repeat(60_000)}"}`,
    ),
  ),
  one('a bundle of nothing', () => bundle()),
  one('a bundle of a million parts without bytes', () => Buffer.concat([bundle(), Buffer.alloc(1_000_000)])),
  one('a part without bytes between good ones', () => bundle(good, new Uint8Array(), good)),
  one('a part of random bytes between good ones', () => bundle(good, noise(100), good)),
  one('a part that ends beyond its bundle', () => bundle(good, good).subarray(0, -1)),
  one('a part of 2 GiB', () => Buffer.concat([bundle(good), Buffer.from(varint(0x7fffffff)), good])),
  one('a bundle in a bundle', () => bundle(bundle(good, good), good)),
  one('10,000 small messages in a bundle', () => bundle(...Array<Buffer>(10_000).fill(single('1')))),
];
