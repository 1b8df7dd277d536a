import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import { GzipCodec } from '../../../lib/codec/gzip.codec.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { buses, Inbox } from '../bus/support.js';

const { started } = buses();
const MIB = 1024 * 1024;
const tooLarge = expect.objectContaining({ code: 'DISCO_MESSAGE_TOO_LARGE', limitBytes: 10 * MIB });
const guarantees: DeliveryGuarantee[] = ['at-most-once', 'at-least-once'];

/** What gzip makes almost nothing of. */
const text = (bytes: number) => 'x'.repeat(bytes - 2);

describe('maxMessageSize', () => {
  describe.each(guarantees)('%s', (delivery) => {
    it('is measured before compression', async () => {
      const bus = await started();
      await expect(bus.publish('t', text(11 * MIB), { delivery })).rejects.toThrow(tooLarge);
      await expect(bus.publish('t', Buffer.alloc(11 * MIB), { delivery })).rejects.toThrow(tooLarge);
      await expect(bus.publishBatch('t', [1, text(11 * MIB)], { delivery })).rejects.toThrow(tooLarge);
    });

    it('takes and reads exactly the limit', async () => {
      const bus = await started({ maxMessageSize: 200_000 });
      const inbox = new Inbox<unknown>();
      await bus.subscribe('t', (payload) => inbox.push(payload), { delivery });
      await bus.publish('t', text(200_000), { delivery });
      await bus.publish('t', Buffer.alloc(200_000), { delivery });
      await expect(bus.publish('t', text(200_001), { delivery })).rejects.toThrow(
        expect.objectContaining({ sizeBytes: 200_001, limitBytes: 200_000 }),
      );
      expect(await inbox.until(2)).toEqual([text(200_000), Buffer.alloc(200_000)]);
    });

    it('holds for requests', async () => {
      const bus = await started();
      await bus.subscribe('t', () => 1, { delivery });
      await expect(bus.request('t', text(11 * MIB), { delivery })).rejects.toThrow(tooLarge);
    });

    it('fails the request at once when the reply is too large', async () => {
      const bus = await started();
      await bus.subscribe('t', () => text(11 * MIB), { delivery });
      await expect(bus.request('t', 1, { delivery })).rejects.toThrow(
        expect.objectContaining({ code: 'DISCO_REMOTE', remoteCode: 'DISCO_MESSAGE_TOO_LARGE' }),
      );
    });
  });

  it('holds for requests of a transport', async () => {
    const bus = await started();
    const error = await new Promise((resolve) =>
      transportAccess(bus).request(
        't',
        text(11 * MIB),
        { timeoutMs: 5_000 },
        {
          next: resolve,
          complete: () => resolve(undefined),
          error: resolve,
        },
      ),
    );
    expect(error).toEqual(tooLarge);
  });

  it('is measured uncompressed on the Go wire too, also where gzip makes it larger', async () => {
    const bus = await started({ maxMessageSize: 50_000, topics: { go: { wire: 'go' } } });
    const inbox = new Inbox<unknown>();
    await bus.subscribe('go', (payload) => inbox.push(payload), { delivery: 'at-most-once' });
    const noise = Buffer.from(Array.from({ length: 50_000 }, (_, n) => (n * 2654435761) >>> 13));
    await bus.publish('go', noise);
    await expect(bus.publish('go', Buffer.alloc(50_001))).rejects.toThrow(
      expect.objectContaining({ sizeBytes: 50_001, limitBytes: 50_000 }),
    );
    expect(await inbox.until(1)).toEqual([noise]);
  });

  it('is one that the gzip codec writes nothing beyond that it could not read', async () => {
    const codec = new GzipCodec(new JsonCodec(), { maxBytes: 2_000 });
    for (const bytes of [1_999, 2_000, 2_001, 20_000]) {
      const body = await codec.encode(text(bytes));
      expect(body.compression).toBe(bytes <= 2_000 ? 1 : 0);
      expect(await codec.decode({ ...body, data: Buffer.from(body.data) })).toBe(text(bytes));
    }
  });

  it('is no limit to bundles: what many small messages make together is read', async () => {
    const sizes: number[] = [];
    const driver = memoryDriver();
    const publish = driver.publish.bind(driver);
    driver.publish = (topic, frame, options) => {
      sizes.push(frame.length);
      return publish(topic, frame, options);
    };
    const maxBytes = 16 * MIB;
    const bus: DiscoBus = await started({
      driver,
      maxMessageSize: 2_000,
      bundling: { 'at-most-once': { maxBytes, maxMessages: 10_000 } },
    });
    const payload = '語'.repeat(300);
    const headers = (n: number) => ({ long: `${n}`.padEnd(5_000, '語') });
    await Promise.all(
      Array.from({ length: 2_000 }, (_, n) =>
        bus.publish('t', payload, { delivery: 'at-most-once', headers: headers(n) }),
      ),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2_000 + 128 * 1024);
  });
});
