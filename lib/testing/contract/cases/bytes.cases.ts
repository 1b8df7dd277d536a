import assert from 'node:assert/strict';
import { type DriverCase } from '../driver-case.js';
import { expectOnceEach } from '../expect.js';

/** Frames that a careless driver changes: empty, control bytes, gzip's magic, no valid UTF-8, large. */
const frames: Readonly<Record<string, Uint8Array>> = {
  'no byte': Uint8Array.of(),
  'one NUL': Uint8Array.of(0),
  'one byte': Uint8Array.of(255),
  'the first bytes of gzip': Uint8Array.of(0x1f, 0x8b, 8, 0, 0),
  'invalid UTF-8': Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80),
  'line ends': new TextEncoder().encode('$3\r\nabc\r\n\n\r\0'),
  'every byte': Uint8Array.from({ length: 256 }, (_, index) => index),
  '1 MiB': Uint8Array.from({ length: 1 << 20 }, (_, index) => (index * 31 + (index >> 8)) & 255),
};

/** What happens to bytes. */
export const byteCases: readonly DriverCase[] = [
  ...Object.entries(frames).map(([what, frame]): DriverCase => {
    return {
      id: 'A18',
      name: `carries a frame unchanged: ${what}`,
      async run(stage) {
        const { publisher, subscriber } = await stage.pair();
        const inbox = await stage.inbox(subscriber, stage.topic());
        await stage.publish(publisher, stage.topic(), frame);
        await stage.received(inbox, 1);
        assert.ok(Buffer.from(frame).equals(inbox.deliveries[0].frame), 'the bytes differ');
      },
    };
  }),
  {
    id: 'buffer-reuse',
    name: 'a publisher may reuse its bytes once publish has resolved',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic());
      const texts = Array.from({ length: 50 }, (_, index) => `message-${String(index).padStart(2, '0')}`);
      const bytes = new Uint8Array(texts[0].length);
      for (const text of texts) {
        new TextEncoder().encodeInto(text, bytes);
        await stage.publish(publisher, stage.topic(), bytes);
        bytes.fill(0);
      }
      await stage.received(inbox, texts.length);
      expectOnceEach(inbox.texts, texts, 'messages');
    },
  },
  {
    id: 'channels',
    name: 'nothing crosses from one topic to another, however alike their names',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const topics = ['a', 'A', 'ab', 'a.b', 'a:b', 'a-b', 'b'].map((below) => stage.topic(below));
      const inboxes = await Promise.all(topics.map((topic) => stage.inbox(subscriber, topic)));
      for (const topic of topics) await stage.publish(publisher, topic, topic);
      await Promise.all(inboxes.map((inbox) => stage.received(inbox, 1)));
      await stage.quiet();
      inboxes.forEach((inbox, index) => {
        expectOnceEach(inbox.texts, [topics[index]], topics[index]);
        assert.equal(inbox.deliveries[0].topic, topics[index]);
      });
    },
  },
];
