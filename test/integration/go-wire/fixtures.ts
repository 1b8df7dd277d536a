/** The bytes of a text such as `1f 8b 08`. */
export function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

/** What the Go library puts on Redis, byte by byte: written by Go's compress/gzip, level 9 unless said otherwise. */
export const goPayloads: readonly { what: string; plain: Buffer; onRedis: Buffer; payload: unknown }[] = [
  {
    what: 'JSON',
    plain: Buffer.from('{"order_id": "123"}'),
    onRedis: bytes(
      '1f 8b 08 00 00 00 00 00 02 ff aa 56 ca 2f 4a 49 2d 8a cf 4c 51 b2 52 50 32 34 32 56 aa 05 04 00 00 ff ff e3 da 77 4e 13 00 00 00',
    ),
    payload: { order_id: '123' },
  },
  {
    what: 'JSON at level 1, which Go stores',
    plain: Buffer.from('{"order_id": "123"}'),
    onRedis: bytes(
      '1f 8b 08 00 00 00 00 00 04 ff 00 13 00 ec ff 7b 22 6f 72 64 65 72 5f 69 64 22 3a 20 22 31 32 33 22 7d 01 00 00 ff ff e3 da 77 4e 13 00 00 00',
    ),
    payload: { order_id: '123' },
  },
  {
    what: 'text that is no JSON',
    plain: Buffer.from('plain text'),
    onRedis: bytes(
      '1f 8b 08 00 00 00 00 00 02 ff 2a c8 49 cc cc 53 28 49 ad 28 01 04 00 00 ff ff b8 0f 0b 44 0a 00 00 00',
    ),
    payload: Buffer.from('plain text'),
  },
  {
    what: 'bytes that begin like gzip, compressed',
    plain: bytes('1f 8b'),
    onRedis: bytes('1f 8b 08 00 00 00 00 00 02 ff 92 ef 06 04 00 00 ff ff c9 46 e9 f6 02 00 00 00'),
    payload: bytes('1f 8b'),
  },
  {
    what: 'no bytes, compressed',
    plain: Buffer.of(),
    onRedis: bytes('1f 8b 08 00 00 00 00 00 02 ff 01 00 00 ff ff 00 00 00 00 00 00 00 00'),
    payload: Buffer.of(),
  },
];

/** What other publishers put on a topic of the Go library uncompressed, and what a handler gets. */
export const rawPayloads: readonly { what: string; onRedis: Buffer; payload: unknown }[] = [
  { what: 'nothing at all, as CreateTopic publishes', onRedis: Buffer.of(), payload: Buffer.of() },
  { what: 'one byte', onRedis: bytes('1f'), payload: bytes('1f') },
  { what: 'JSON', onRedis: Buffer.from('{"raw":true}'), payload: { raw: true } },
  { what: 'text', onRedis: Buffer.from('raw text'), payload: Buffer.from('raw text') },
  { what: 'the first bytes of gzip', onRedis: bytes('1f 8b'), payload: bytes('1f 8b') },
  {
    what: 'a gzip header',
    onRedis: bytes('1f 8b 08 00 00 00 00 00 02 ff'),
    payload: bytes('1f 8b 08 00 00 00 00 00 02 ff'),
  },
  {
    what: 'text after the first bytes of gzip',
    onRedis: Buffer.concat([bytes('1f 8b'), Buffer.from(' is how gzip begins')]),
    payload: Buffer.concat([bytes('1f 8b'), Buffer.from(' is how gzip begins')]),
  },
];
