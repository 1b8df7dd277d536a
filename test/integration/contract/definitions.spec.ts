import { z } from 'zod';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import { defineRequest, defineTopic } from '../../../lib/contract/define.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { Inbox, KeepingLogger } from '../../unit/bus/support.js';
import { engines, useEngines } from '../calls/engines.js';

const running: DiscoBus[] = [];
let name: string;
let names = 0;
let logger: KeepingLogger;
useEngines();

beforeEach(() => {
  name = `contract.${++names}`;
  logger = new KeepingLogger();
});
afterEach(() => Promise.all(running.splice(0).map((bus) => bus.stop())));

async function started(driver: DiscoDriver, options: Partial<DiscoBusOptions> = {}): Promise<DiscoBus> {
  const bus = new DiscoBus({ driver, service: 'shop', logger, shutdownTimeout: '1s', ...options });
  running.push(bus);
  await bus.start();
  return bus;
}

const order = z.object({
  id: z.string().min(1),
  total: z.number(),
  at: z.iso.datetime().transform((at) => new Date(at)),
});
const sent = { id: 'o1', total: 5, at: '2026-01-02T03:04:05Z' };
const invalid = { code: 'DISCO_UNRECOVERABLE', problems: [expect.stringMatching(/^id: /)] };

describe.each(engines)('A topic as one value on $name', ({ driver }) => {
  it('is published, handled as its schema makes it, and follows its policy', async () => {
    const created = defineTopic(name, {
      schema: order,
      orderBy: 'key',
      key: ({ id }) => id,
      prefetch: 0,
      concurrency: 3,
    });
    const bus = await started(driver());
    const inbox = new Inbox<unknown>();
    await bus.subscribe(created, ({ at }, { headers }) =>
      inbox.push({ ms: at.getTime(), key: headers['x-key'] }),
    );
    await bus.publish(created, sent);
    await bus.publishBatch(created, [
      { ...sent, id: 'o2' },
      { ...sent, id: 'o3' },
    ]);
    const ms = Date.UTC(2026, 0, 2, 3, 4, 5);
    expect(await inbox.until(3)).toEqual(['o1', 'o2', 'o3'].map((key) => ({ ms, key })));
    expect(bus.subscriptions[0]).toMatchObject({ topic: name, concurrency: 3 });
  });

  it('refuses a payload that does not fit, with field and rule, and sends nothing of its batch', async () => {
    const created = defineTopic(name, { schema: order });
    const bus = await started(driver());
    const inbox = new Inbox<string>();
    await bus.subscribe(created, ({ id }) => inbox.push(id));
    const wrong = { ...sent, id: 7 as never };
    await expect(bus.publish(created, wrong)).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining(`The payload for "${name}" is not valid: id: `),
    });
    await expect(bus.publishBatch(created, [sent, wrong])).rejects.toMatchObject(invalid);
    await expect(bus.publish(name, wrong)).rejects.toMatchObject(invalid);
    await bus.publish(created, { ...sent, id: 'last' });
    expect(await inbox.until(1)).toEqual(['last']);
  });

  it('makes a dead letter at once of a delivery that does not fit, which says so', async () => {
    const created = defineTopic(name, { schema: order });
    const [stranger, bus] = await Promise.all([started(driver()), started(driver())]);
    const inbox = new Inbox<string>();
    const dead = new Inbox<unknown>();
    bus.onStatus((status) => status.type === 'dead-letter' && dead.push(status.attempt));
    await bus.subscribe(created, ({ id }) => inbox.push(id));
    await stranger.publish(name, { ...sent, total: 'much' });
    await stranger.publish(name, sent);
    expect(await dead.until(1)).toEqual([1]);
    expect(await inbox.until(1)).toEqual(['o1']);
    const [letter] = await bus.deadLetters(created).peek();
    expect(letter).toMatchObject({
      reason: 'unrecoverable',
      error: { name: 'PayloadInvalidError', message: expect.stringContaining('total: invalid_type') },
      message: { payload: { total: 'much' } },
    });
  });

  it('is not checked where that is switched off, by the definition or by the bus', async () => {
    const unchecked = defineTopic(name, { schema: order, validate: { publish: false, handle: false } });
    const bus = await started(driver());
    const inbox = new Inbox<unknown>();
    await bus.subscribe(unchecked, ({ at }) => inbox.push(at));
    await bus.publish(unchecked, { ...sent, id: '' });
    const checked = defineTopic(`${name}.bus`, { schema: order });
    const free = await started(driver(), { validation: { publish: false, handle: false } });
    await free.subscribe(checked, ({ at }) => inbox.push(at));
    await free.publish(checked, { ...sent, id: '' });
    expect(await inbox.until(2)).toEqual([sent.at, sent.at]);
  });

  it('of a contract is known from the beginning on, also where a string or a pattern names it', async () => {
    const created = defineTopic(name, { schema: order, delivery: 'at-most-once' });
    const bus = await started(driver(), { contract: { created } });
    expect(bus.definitions).toEqual([created]);
    await expect(bus.publish(name, {})).rejects.toMatchObject({ code: 'DISCO_UNRECOVERABLE' });
    const inbox = new Inbox<unknown>();
    await bus.subscribe(`${name}.>`.replace('.>', ''), ({ at }) => inbox.push(at instanceof Date), {});
    const receipt = await bus.publish(name, sent);
    expect(receipt.position).toBeUndefined();
    expect(await inbox.until(1)).toEqual([true]);
  });

  it('cannot be delivered otherwise by a publish, a subscription or the table', async () => {
    const created = defineTopic(name, { delivery: 'at-most-once' });
    const bus = await started(driver(), { contract: { created } });
    const refused = expect.objectContaining({
      code: 'DISCO_CONFIGURATION',
      message: expect.stringContaining(name),
    });
    await expect(bus.subscribe(created, () => {}, { delivery: 'at-least-once' })).rejects.toEqual(refused);
    await expect(bus.publish(created, 1, { delivery: 'at-least-once' })).rejects.toEqual(refused);
    const contradicting = () =>
      new DiscoBus({
        driver: driver(),
        contract: { created },
        topics: { [name]: { delivery: 'at-least-once' } },
      });
    expect(contradicting).toThrow(
      /has delivery 'at-most-once' in its definition and 'at-least-once' in the topics table/,
    );
  });

  it('takes its time with a schema that does, and keeps the order', async () => {
    const slow = z.string().refine(async (text) => {
      await new Promise((resolve) => setTimeout(resolve, text === 'first' ? 30 : 1));
      return text !== 'wrong';
    });
    const words = defineTopic(name, { schema: slow, concurrency: 1 });
    const bus = await started(driver());
    const inbox = new Inbox<string>();
    await bus.subscribe(words, (word) => inbox.push(word));
    const wrong = expect(bus.publish(words, 'wrong')).rejects.toMatchObject({ code: 'DISCO_UNRECOVERABLE' });
    await Promise.all([bus.publish(words, 'first'), bus.publish(words, 'second'), wrong]);
    expect(await inbox.until(2)).toEqual(['first', 'second']);
  });

  it('tells of a schema, and of a key, that throws', async () => {
    const throwing = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          throw new RangeError('secret');
        },
      },
    } as const;
    const bus = await started(driver());
    const thrown = bus.publish(defineTopic(name, { schema: throwing }), 'secret');
    await expect(thrown).rejects.toMatchObject({ problems: ['the schema itself failed with RangeError'] });
    const keyed = defineTopic<{ id?: string }>(`${name}.keyed`, { key: ({ id }) => id!.trim() });
    await expect(bus.publish(keyed, {})).rejects.toMatchObject({ problems: ['its key could not be made'] });
  });

  it('answers requests, and compares both payload and reply with their schemas', async () => {
    const price = defineRequest(name, {
      schema: z.object({ item: z.string() }),
      reply: z.object({ cents: z.number(), until: z.iso.datetime().transform((at) => new Date(at)) }),
      requestTimeout: '5s',
    });
    const bus = await started(driver());
    const replies: Record<string, any> = {
      lamp: { cents: 1, until: sent.at },
      chair: { cents: 'many', until: sent.at },
    };
    await bus.subscribe(price, ({ item }) => replies[item]);
    const client = bus.client({ getPrice: price });
    await expect(client.getPrice({ item: 'lamp' })).resolves.toEqual({ cents: 1, until: new Date(sent.at) });
    await expect(bus.request(price, { item: 'chair' })).rejects.toMatchObject({
      code: 'DISCO_REPLY_INVALID',
      problems: ['cents: invalid_type'],
    });
    await expect(bus.request(price, { item: 1 as never })).rejects.toMatchObject({
      code: 'DISCO_UNRECOVERABLE',
    });
  });

  describe('with versions', () => {
    const first = () => defineTopic(name, { schema: z.object({ name: z.string() }), retry: { attempts: 2 } });
    const second = (of: ReturnType<typeof first>, newer?: 'wait' | 'dead-letter') =>
      of.version(2, {
        schema: z.object({ given: z.string(), family: z.string() }),
        upgrade: ({ name: whole }) => {
          const [given, family = ''] = whole.split(' ');
          return { given, family };
        },
        newer,
      });

    it('upgrades older messages on their way in', async () => {
      const one = first();
      const two = second(one);
      const [old, bus] = await Promise.all([started(driver()), started(driver())]);
      const inbox = new Inbox<unknown>();
      await bus.subscribe(two, (person, { headers }) =>
        inbox.push({ ...person, version: headers['x-version'] }),
      );
      await old.publish(one, { name: 'Ada Lovelace' });
      await bus.publish(one, { name: 'Grace Hopper' });
      await bus.publish(two, { given: 'Mary', family: 'Shelley' });
      await inbox.until(3);
      expect(inbox.items).toEqual(
        expect.arrayContaining([
          { given: 'Ada', family: 'Lovelace', version: undefined },
          { given: 'Grace', family: 'Hopper', version: undefined },
          { given: 'Mary', family: 'Shelley', version: '2' },
        ]),
      );
    });

    it('lets a newer message wait until a member knows it, and no attempt is lost to that', async () => {
      const one = first();
      const two = second(one);
      const [old, publisher] = await Promise.all([started(driver()), started(driver())]);
      const inbox = new Inbox<unknown>();
      const waits = new Inbox<string>();
      logger.warn = (text) => void (text.includes('cannot handle message') && waits.push(text));
      const stale = await old.subscribe(one, () => inbox.push('old'));
      await publisher.publish(two, { given: 'Ada', family: 'Lovelace' });
      await waits.until(3);
      await stale.close();
      const bus = await started(driver());
      let failures = 0;
      await bus.subscribe(two, (person, { attempt }) => {
        if (failures++ === 0) throw new Error('once');
        inbox.push({ ...person, attempt });
      });
      expect(await inbox.until(1)).toEqual([{ given: 'Ada', family: 'Lovelace', attempt: 2 }]);
      expect(waits.items[0]).toContain('has version 2, and this handler knows 1; it waits for a member');
      expect(await bus.deadLetters(two).count()).toBe(0);
    });

    it('refuses a next version that is to wait where the order is kept', () => {
      const ordered = defineTopic(name, { schema: z.object({ name: z.string() }), orderBy: 'key' });
      const waiting = () =>
        ordered.version(2, {
          schema: z.object({ name: z.string() }),
          upgrade: (older) => older,
          newer: 'wait',
        });
      expect(waiting).toThrow(/version 2 of ".+": a message that waits would be overtaken/);
    });

    it('gives a message up at once whose upgrade fails, by whatever promise', async () => {
      // biome-ignore lint/suspicious/noThenProperty: a promise that is none of JavaScript's own
      const foreign = { then: (_: unknown, failed: (error: Error) => void) => failed(new Error('no')) };
      const one = first();
      const two = one.version(2, {
        schema: z.object({ name: z.string() }),
        upgrade: () => foreign as never,
      });
      const bus = await started(driver());
      const dead = new Inbox<unknown>();
      bus.onStatus((status) => status.type === 'dead-letter' && dead.push(status.error));
      await bus.subscribe(two, () => {});
      await bus.publish(one, { name: 'Ada' });
      const told = `"${name}" could not be upgraded to version 2`;
      expect(await dead.until(1)).toMatchObject([{ name: 'UnrecoverableError', message: told }]);
    });

    it('gives a newer message up where that is chosen', async () => {
      const one = defineTopic(name, { schema: z.object({ name: z.string() }), newer: 'dead-letter' });
      const two = second(one);
      const [old, publisher] = await Promise.all([started(driver()), started(driver())]);
      const dead = new Inbox<string>();
      old.onStatus(
        (status) => status.type === 'dead-letter' && dead.push(String((status.error as Error).name)),
      );
      await old.subscribe(one, () => {});
      await publisher.publish(two, { given: 'Ada', family: 'Lovelace' });
      expect(await dead.until(1)).toEqual(['VersionUnknownError']);
    });
  });
});
