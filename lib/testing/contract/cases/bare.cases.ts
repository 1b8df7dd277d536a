import assert from 'node:assert/strict';
import { type DiscoDriver } from '../../../driver/driver.js';
import { joinBundle } from '../../../message/bundle.js';
import { encodeFrame } from '../../../message/frame.js';
import { noHeaders } from '../../../message/headers.js';
import { type DriverCase } from '../driver-case.js';
import { type DriverStage } from '../driver-stage.js';
import { expectInOrder, expectOnceEach } from '../expect.js';

/** A driver of another application: it has another prefix. */
async function stranger(stage: DriverStage): Promise<DiscoDriver> {
  const driver = await stage.newDriver();
  await driver.connect({ ...stage.harness.context, prefix: 'stranger' });
  return driver;
}

/** The bytes of one message that is named `id`. */
function frameOf(id: string): Buffer {
  return encodeFrame({ id, timestamp: 1, headers: noHeaders, codec: 0, compression: 0, body: 'null' });
}

/** Topics that are used by their bare names, as the programs of others use them. */
export const bareCases: readonly DriverCase[] = [
  {
    id: 'bare',
    name: 'a bare name is the same to drivers of every prefix, and another one than the name with the prefix',
    needs: ['bare', 'shared broker'],
    async run(stage) {
      const [driver, other] = [await stage.driver(), await stranger(stage)];
      const bare = await stage.inbox(driver, stage.topic(), { bare: true });
      const elsewhere = await stage.inbox(other, stage.topic(), { bare: true });
      const prefixed = await stage.inbox(driver, stage.topic());
      await stage.publish(other, stage.topic(), 'bare', { bare: true });
      await stage.publish(driver, stage.topic(), 'prefixed');
      await Promise.all([bare, elsewhere, prefixed].map((inbox) => stage.received(inbox, 1)));
      await stage.quiet();
      expectOnceEach(bare.texts, ['bare'], 'the bare name');
      expectOnceEach(elsewhere.texts, ['bare'], 'the bare name elsewhere');
      expectOnceEach(prefixed.texts, ['prefixed'], 'the name with the prefix');
      assert.equal(bare.deliveries[0].topic, stage.topic());
    },
  },
  {
    id: 'bare-patterns',
    name: 'a pattern of bare names matches bare names only, and tells them as they stand',
    needs: ['bare', 'patterns', 'shared broker'],
    async run(stage) {
      const [driver, other] = [await stage.driver(), await stranger(stage)];
      const inbox = await stage.inbox(driver, stage.topic('*'), { bare: true });
      await stage.publish(driver, stage.topic('a'), 'prefixed');
      await stage.publish(other, stage.topic('a.b'), 'deeper', { bare: true });
      await stage.publish(other, stage.topic('a'), 'a', { bare: true });
      await stage.received(inbox, 1);
      await stage.quiet();
      expectOnceEach(inbox.texts, ['a'], 'the pattern');
      assert.equal(inbox.deliveries[0].topic, stage.topic('a'));
    },
  },
  {
    id: 'bare-bytes',
    name: 'what goes by a bare name is neither joined nor split, in order',
    needs: ['bare'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic(), { bare: true });
      const frames = [frameOf('a'), joinBundle([frameOf('b'), frameOf('c')]), Buffer.of(), frameOf('d')];
      await Promise.all(
        frames.map((frame) => stage.publish(publisher, stage.topic(), frame, { bare: true })),
      );
      await stage.received(inbox, frames.length);
      const arrived = inbox.deliveries.map(({ frame }) => Buffer.from(frame).toString('hex'));
      expectInOrder(
        arrived,
        frames.map((frame) => frame.toString('hex')),
        'frames',
      );
    },
  },
];
