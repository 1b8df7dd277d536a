import { Injectable } from '@nestjs/common';
import { type } from 'arktype';
import {
  DiscoBusModule,
  DiscoBusService,
  DiscoSubscribe,
  defineRequest,
  defineTopic,
} from 'nestjs-disco-bus';
import { asyncApi, asyncApiOf } from 'nestjs-disco-bus/asyncapi';
import * as v from 'valibot';
import { z } from 'zod';
import { closeApps, startApp } from '../../nest/support.js';
import { checkedDocument } from './checked-document.js';

const info = { title: 'Shop', version: '1.2.3' };
const order = z.object({ id: z.string(), at: z.iso.datetime().transform((at) => new Date(at)) });
const OrderCreated = defineTopic('orders.created', {
  schema: order,
  orderBy: 'key',
  key: ({ id }) => id,
  retry: { attempts: 3 },
  description: 'An order was placed',
});
const GetPrice = defineRequest('prices.get', {
  schema: z.object({ item: z.string() }),
  reply: z.object({ cents: z.number() }),
  requestTimeout: '2s',
});
const PersonNamed = defineTopic('people.named', { schema: z.object({ name: z.string() }) });
const PersonNamed2 = PersonNamed.version(2, {
  schema: z.object({ given: z.string(), family: z.string() }),
  upgrade: ({ name }) => ({ given: name, family: '' }),
});

afterEach(closeApps);

describe('The AsyncAPI document of a contract', () => {
  it('has its topics with policy, key and the form in which payloads travel', async () => {
    const { document, warnings } = await asyncApi({ OrderCreated }, { info });
    expect(warnings).toEqual([]);
    const dangling = { OrderCreated: { $ref: '#/components/messages/nowhere' } };
    const broken = { ...document, channels: { x: { address: 'x', messages: dangling } } };
    await expect(checkedDocument(broken)).rejects.toThrow('nowhere');
    const { parsed, json } = await checkedDocument(document);
    expect(parsed.channels().map((channel) => channel.address())).toEqual(['orders.created']);
    expect(parsed.operations().isEmpty()).toBe(true);
    expect(json.info).toEqual(info);
    expect(json.channels['orders.created']).toMatchObject({
      description: 'An order was placed',
      'x-disco-bus': {
        kind: 'topic',
        orderBy: 'key',
        key: true,
        retry: { attempts: 3 },
        newer: 'dead-letter',
      },
    });
    const [message] = parsed.messages().all();
    expect(message.headers()?.json()).toMatchObject({ required: ['x-key'] });
    expect(message.payload()?.json()).toMatchObject({
      properties: { id: { type: 'string' }, at: { type: 'string', format: 'date-time' } },
      required: ['id', 'at'],
    });
  });

  it('has a request as who answers it does, with the reply in the inbox that the request names', async () => {
    const { document } = await asyncApi({ GetPrice }, { info });
    const { parsed } = await checkedDocument(document);
    const [operation] = parsed.operations().all();
    expect(operation.action()).toBe('receive');
    expect(operation.reply()?.address()?.location()).toBe('$message.header#/x-reply-to');
    const [reply] = operation.reply()!.messages().all();
    expect(reply.payload()?.json()).toMatchObject({ properties: { cents: { type: 'number' } } });
    expect(operation.reply()!.channel()!.address()).toBeFalsy();
  });

  it('has a message of each version, told by its header', async () => {
    const { document } = await asyncApi({ PersonNamed2, old: PersonNamed }, { info });
    const { parsed, json } = await checkedDocument(document);
    const messages = parsed.channels().all()[0].messages().all();
    expect(messages.map((each) => each.id())).toEqual(['v1', 'v2']);
    expect(messages.map((each) => each.payload()?.json())).toMatchObject([
      { required: ['name'] },
      { required: ['given', 'family'] },
    ]);
    const told = json.components.messages;
    expect(told['people.named'].headers).toBeUndefined();
    expect(told['people.named.v2'].title).toBe('people.named, version 2');
    expect(told['people.named.v2'].headers).toEqual({
      type: 'object',
      properties: {
        'x-version': { type: 'string', const: '2', description: 'The version of the message' },
      },
      required: ['x-version'],
    });
  });

  it('keeps what a recursive schema says of itself, and of parts that it uses twice', async () => {
    const Category = z.object({
      name: z.string(),
      get children() {
        return z.array(Category);
      },
    });
    const twice = z.object({ left: Category, right: Category, note: z.literal('#/definitions/x') });
    const contract = {
      tree: defineTopic('tree', { schema: Category }),
      pair: defineTopic('pair', { schema: twice }),
    };
    const { document } = await asyncApi(contract, { info });
    const { json } = await checkedDocument(document);
    const { tree, pair } = json.components.schemas;
    expect(tree.properties.children.items).toEqual({ $ref: '#/components/schemas/tree' });
    expect(pair.properties.left.$ref).toMatch(/^#\/components\/schemas\/pair\/definitions\//);
    expect(pair.properties.note.const).toBe('#/definitions/x');
  });

  it('asks zod, valibot and arktype themselves, for what they take', async () => {
    const contract = {
      zod: defineTopic('of.zod', { schema: z.object({ n: z.number().optional() }) }),
      valibot: defineTopic('of.valibot', {
        schema: v.object({ n: v.optional(v.number()), at: v.pipe(v.string(), v.transform(Number)) }),
      }),
      arktype: defineTopic('of.arktype', { schema: type({ 'n?': 'number' }) }),
    };
    const { document, warnings } = await asyncApi(contract, { info });
    expect(warnings).toEqual([]);
    const { json } = await checkedDocument(document);
    for (const name of ['of.zod', 'of.valibot', 'of.arktype'])
      expect(json.components.schemas[name]).toMatchObject({
        type: 'object',
        properties: { n: { type: 'number' } },
      });
    expect(json.components.schemas['of.valibot']).toMatchObject({
      properties: { at: { type: 'string' } },
      required: ['at'],
    });
  });

  it('says of a payload without a JSON form that it has none, and lists it', async () => {
    const foreign = {
      '~standard': { version: 1, vendor: 'acme', validate: (value: unknown) => ({ value }) },
    } as const;
    const contract = {
      typed: defineTopic<{ id: string }>('typed'),
      throws: defineTopic('throws', { schema: z.custom<string>(() => true) }),
      foreign: defineTopic('foreign', { schema: foreign }),
      asked: defineRequest<string, number>('asked'),
    };
    const { document, warnings } = await asyncApi(contract, { info });
    expect(warnings).toEqual([
      { topic: 'typed', missing: 'payload', reason: 'it has a type and no schema' },
      { topic: 'throws', missing: 'payload', reason: expect.stringContaining('zod cannot write its schema') },
      { topic: 'foreign', missing: 'payload', reason: 'its schema, of acme, has no JSON Schema of its own' },
      { topic: 'asked', missing: 'payload', reason: 'it has a type and no schema' },
      { topic: 'asked', missing: 'reply', reason: 'it has a type and no schema' },
    ]);
    const { json } = await checkedDocument(document);
    expect(json.components.schemas).toEqual({});
    for (const message of Object.values<{ payload?: object; description: string }>(
      json.components.messages,
    )) {
      expect(message.payload).toBeUndefined();
      expect(message.description).toMatch(/^The payload is not described: /);
    }
    const jsonSchema = ({ '~standard': { vendor } }: { '~standard': { vendor: string } }) =>
      vendor === 'acme' ? { type: 'string' } : undefined;
    const helped = await asyncApi({ foreign: contract.foreign, OrderCreated }, { info, jsonSchema });
    expect(helped.warnings).toEqual([]);
    expect(helped.document.components.schemas.foreign).toEqual({ type: 'string' });
  });

  it('gives names that are odd, or alike, ids of their own', async () => {
    const names = ['a:b', 'a-b', 'constructor', 'prices.get.reply', 'people.named.v2'];
    const odd = names.map((name) => defineTopic(name, { schema: z.string() }));
    const contract = { ...odd, GetPrice, PersonNamed2 } as unknown as Record<string, typeof OrderCreated>;
    const { document } = await asyncApi(contract, { info });
    const { parsed } = await checkedDocument(document);
    const addresses = parsed.channels().map((channel) => channel.address());
    expect(addresses).toEqual(expect.arrayContaining([...names, 'prices.get', 'people.named']));
    // Each topic, and one inbox.
    expect(Object.keys(document.channels)).toHaveLength(8);
    expect(Object.keys(document.components.schemas)).toHaveLength(names.length + 4);
  });

  it('tells servers without what is secret in their urls', async () => {
    const servers = {
      production: { url: 'rediss://sentinel-user:sentinel-pw@redis.example:6380/2?password=sentinel-query' },
      local: { url: 'redis://localhost:6379', description: 'Of a developer' },
    };
    const { document } = await asyncApi({ OrderCreated }, { info, servers });
    await checkedDocument(document);
    expect(document.servers).toEqual({
      production: {
        host: 'redis.example:6380',
        protocol: 'rediss',
        pathname: '/2',
        security: [{ type: 'userPassword' }],
      },
      local: { host: 'localhost:6379', protocol: 'redis', description: 'Of a developer' },
    });
    expect(JSON.stringify(document)).not.toContain('sentinel');
    for (const url of ['://sentinel-pw@', 'memory:sentinel-pw']) {
      const refused: Error = await asyncApi({}, { info, servers: { bad: { url } } }).catch((error) => error);
      expect(refused).toMatchObject({
        code: 'DISCO_CONFIGURATION',
        message: expect.stringContaining('servers.bad'),
      });
      expect(refused.message).not.toContain('sentinel');
    }
  });

  it('refuses options and contracts that cannot be', async () => {
    const refused = (text: string) => ({
      code: 'DISCO_CONFIGURATION',
      message: expect.stringContaining(text),
    });
    await expect(asyncApi({}, { info: {} as never })).rejects.toMatchObject(refused('info.title'));
    await expect(asyncApi({}, { info, server: {} } as never)).rejects.toMatchObject(refused('servers'));
    await expect(asyncApi({}, undefined as never)).rejects.toMatchObject(refused('info.title'));
    await expect(asyncApi({ x: {} as never }, { info })).rejects.toMatchObject(refused('contract.x'));
    const other = defineTopic('orders.created');
    await expect(asyncApi({ OrderCreated, other }, { info })).rejects.toMatchObject(refused('defined twice'));
    const bad = { 'a b': { url: 'redis://host' } };
    await expect(asyncApi({}, { info, servers: bad })).rejects.toMatchObject(refused('"a b"'));
  });
});

describe('The AsyncAPI document of a running application', () => {
  it('receives what it subscribes to, sends the rest, and names who handles it', async () => {
    @Injectable()
    class Handlers {
      @DiscoSubscribe(GetPrice)
      price({ item }: { item: string }) {
        return { cents: item.length };
      }
      @DiscoSubscribe('people.*')
      people() {}
      @DiscoSubscribe('loose.ends')
      loose() {}
      @DiscoSubscribe('nothing.>')
      nothing() {}
    }
    const SendMail = defineRequest('mail.send', { schema: z.string(), reply: z.boolean() });
    const contract = { OrderCreated, GetPrice, PersonNamed2, SendMail };
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'shop', contract })],
      providers: [Handlers],
    });
    const { document, warnings } = await asyncApiOf(app.get(DiscoBusService), { info });
    const { parsed, json } = await checkedDocument(document);
    expect(Object.fromEntries(parsed.operations().map((each) => [each.id(), each.action()]))).toEqual({
      'send.orders.created': 'send',
      'receive.prices.get': 'receive',
      'receive.people.named': 'receive',
      'send.mail.send': 'send',
      'receive.loose.ends': 'receive',
    });
    expect(json.operations['receive.people.named']['x-disco-bus'].handlers).toEqual([
      expect.objectContaining({ handler: 'Handlers.people', group: 'shop@people.*', pattern: 'people.*' }),
    ]);
    expect(json.operations['receive.prices.get'].reply.channel).toEqual({
      $ref: '#/channels/prices.get.reply',
    });
    expect(json.operations['send.mail.send'].reply.channel).toEqual({ $ref: '#/channels/mail.send.reply' });
    expect(warnings).toEqual([
      expect.objectContaining({ topic: 'loose.ends', missing: 'definition' }),
      expect.objectContaining({ topic: 'nothing.>', missing: 'definition' }),
    ]);
    const ofBus = await asyncApiOf(app.get(DiscoBusService).bus, { info });
    expect(ofBus.document).toEqual(document);
  });
});
