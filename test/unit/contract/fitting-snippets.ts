import type { Snippets } from './snippets.js';

/** What must compile. */
export const fitting: Snippets = {
  'publish: what the schema takes': `await bus.publish(OrderCreated, taken, { key: 'k' });
await service.publish(OrderCreated, { id: 'o1', total: 5, at: '', customer: { id: 'c1' } });`,
  'publish: a plain type as it is written, with its Date': `await bus.publish(Plain, { id: 'o1', total: 5, at: new Date() });`,
  'publish: a topic by its name takes anything': `await bus.publish('any.topic', { some: 1 });
await service.publish('any.topic', 7);`,
  'publish: a name that is not known before run time': `declare const name: string;
await bus.publish(name, [1]);`,
  'publish: a definition that is not known before run time': `declare const topic: TopicDefinition;
await bus.publish(topic, { some: 1 });`,
  'publish: a name or a definition': `declare const topic: string | TopicDefinition;
await bus.publish(topic, { some: 1 });`,
  'publish: within a generic function': `async function send<T>(topic: TopicDefinition<T>, payload: NoInfer<T>) {
  await bus.publish(topic, payload);
}
await send(OrderCreated, taken);`,
  'publishBatch: what the schema takes': `await bus.publishBatch(OrderCreated, [taken, taken]);
await service.publishBatch(OrderCreated, [taken] as const);
await bus.publishBatch('any.topic', [1, 'two']);`,
  'request: the reply is what its schema makes': `const reply = await bus.request(GetPrice, { item: 'lamp' });
same<{ cents: number; until: Date }>()(reply);`,
  'request: the reply of a plain type is what JSON makes of it': `const { until } = await service.request(PlainPrice, { item: 'lamp' });
same<string>()(until);`,
  'request: a topic by its name, the type of the reply told': `const price = await bus.request<Price>('prices.get', 1, { timeout: '1s' });
same<Price>()(price);
const unknown = await bus.request('prices.get', 1);
same<unknown>()(unknown);`,
  'subscribe: a handler gets what the schema makes': `await bus.subscribe(OrderCreated, (order, context) => {
  same<Made>()(order);
  same<Made>()(context.message.payload);
});`,
  'subscribe: a handler that takes less': `await service.subscribe(OrderCreated, ({ id }: { id: string }) => id, { concurrency: 3 });
await bus.subscribe(OrderCreated, () => {});`,
  'subscribe: a plain type arrives as JSON makes it': `await bus.subscribe(Plain, ({ at }) => same<string>()(at));`,
  'subscribe: batches': `await bus.subscribe(OrderCreated, (orders, context) => {
  same<Made[]>()(orders);
  same<number>()(context.messages.length);
}, { batch: { size: 10 } });
await service.subscribe(OrderCreated, (orders: Made[]) => orders.length, { batch: { size: 10, linger: '5ms' } });`,
  'subscribe: a request, answered at once, by a promise, by a stream': `const until = '2026-01-02T03:04:05Z';
await bus.subscribe(GetPrice, ({ item }) => ({ cents: item.length, until }));
await bus.subscribe(GetPrice, async () => ({ cents: 1, until }));
await bus.subscribe(GetPrice, async function* () { yield { cents: 1, until }; });
await service.subscribe(GetPrice, () => stream);
await service.subscribe(GetPrice, () => undefined);`,
  'subscribe: a topic or a pattern by its name': `await bus.subscribe('orders.*', (order) => order.anything);
await bus.subscribe<Order>('orders', ({ at }) => at.getTime());
await bus.subscribe<Order>('orders', (orders) => orders.length, { batch: { size: 2 } });
await service.subscribe('orders.>', (order, { id }) => [order, id]);`,
  'deadLetters: payloads as they travelled': `const [letter] = await bus.deadLetters(OrderCreated).peek();
same<Taken>()(letter!.message!.payload);
const [plain] = await service.deadLetters(Plain, 'billing').peek();
same<string>()(plain!.message!.payload.at);`,
  'deadLetters: of a topic by its name anything': `const [letter] = await bus.deadLetters('orders').peek();
same<unknown>()(letter!.message!.payload);`,
  'client: the requests of a contract alone': `const { until } = await bus.client(shop).getPrice({ item: 'lamp' }, { timeout: '1s' });
same<Date>()(until);
const methods = service.client(shop);
same<'getPrice' | 'plainPrice'>()('' as keyof typeof methods);`,
  '@DiscoSubscribe: payload and context': `class Orders {
  @DiscoSubscribe(OrderCreated)
  on(order: Made, context: DiscoMessageContext<Made>) { return [order, context]; }
  @DiscoSubscribe(OrderCreated, { concurrency: 2 })
  async less({ id }: { id: string }, { attempt }: DiscoMessageContext) { return [id, attempt]; }
  @DiscoSubscribe(OrderCreated)
  nothing() {}
}`,
  '@DiscoSubscribe: decorated parameters in either order': `class Orders {
  @DiscoSubscribe(OrderCreated)
  on(@DiscoPayload() order: Made, @DiscoContext() context: DiscoMessageContext<Made>) { return [order, context]; }
  @DiscoSubscribe(OrderCreated)
  turned(@DiscoContext() context: DiscoMessageContext, @DiscoPayload() order: Made) { return [order, context]; }
  @DiscoSubscribe(OrderCreated)
  contextAlone(@DiscoContext() context: DiscoMessageContext) { return context; }
}`,
  '@DiscoSubscribe: batches': `class Orders {
  @DiscoSubscribe(OrderCreated, { batch: { size: 5 } })
  on(orders: Made[], context: DiscoBatchContext<Made>) { return [orders, context]; }
  @DiscoSubscribe(OrderCreated, { batch: { size: 5 } })
  turned(@DiscoContext() context: DiscoBatchContext, @DiscoPayload() orders: readonly Made[]) { return [orders, context]; }
}`,
  '@DiscoSubscribe: replies in every form': `const price = { cents: 1, until: '2026-01-02T03:04:05Z' };
class Prices {
  @DiscoSubscribe(GetPrice) plain({ item }: { item: string }) { return { ...price, cents: item.length }; }
  @DiscoSubscribe(GetPrice) async promise() { return price; }
  @DiscoSubscribe(GetPrice) observable(): Observable<typeof price> { return of(price, price); }
  @DiscoSubscribe(GetPrice) async *iterable() { yield price; }
  @DiscoSubscribe(GetPrice) stream() { return stream; }
  @DiscoSubscribe(GetPrice) perhaps({ item }: { item: string }) { return item === '' ? undefined : price; }
  @DiscoSubscribe(GetPrice) async observableLater() { return of(price); }
}`,
  '@DiscoSubscribe: the reply of a plain type has its Date': `class Prices {
  @DiscoSubscribe(PlainPrice) price(): Price { return { cents: 1, until: new Date() }; }
}`,
  '@DiscoSubscribe: a plain type arrives as JSON makes it': `class Orders {
  @DiscoSubscribe(Plain) on({ at }: { at: string }) { return at; }
}`,
  '@DiscoSubscribe: a topic or pattern by its name takes any method': `class Orders {
  @DiscoSubscribe('orders.*') on(order: Order, context: DiscoMessageContext<Order>, third?: string) { return [order, context, third]; }
}`,
  '@DiscoSubscribe: options made at the start': `class Orders {
  @DiscoSubscribe(OrderCreated, () => ({ concurrency: 3 })) on(order: Made) { return order; }
}`,
  '@DiscoSubscribe: a definition as TopicDefinition fits every method': `class Orders {
  @DiscoSubscribe(OrderCreated as TopicDefinition)
  on(@DiscoPayload('customer.id') customer: string, @DiscoPayload('total') total: number) { return [customer, total]; }
}`,
  'versions: upgrade from what the older schema makes to what the newer one takes': `const Second = OrderCreated.version(2, {
  schema: z.object({ id: z.string(), when: z.iso.datetime().transform((at) => new Date(at)) }),
  upgrade: (older) => {
    same<Made>()(older);
    return { id: older.id, when: older.at.toISOString() };
  },
});
await bus.publish(Second, { id: 'o1', when: '' });
await bus.subscribe(Second, ({ when }) => same<Date>()(when));`,
  'versions: an upgrade that takes its time, and one of a plain type': `Plain.version(2, { schema: z.object({ at: z.string() }), upgrade: async ({ at }) => ({ at }) });`,
  'defineTopic: every option': `defineTopic('orders', {
  schema: OrderSchema, key: ({ id }) => id, orderBy: 'key', newer: 'dead-letter', delivery: 'at-least-once',
  retry: { attempts: 3 }, validate: { publish: false }, description: 'Orders', timeout: '5s',
});
defineTopic<Order>('orders', { key: ({ at }) => at.toISOString() });`,
  'defineTopic: a schema that makes a Date of anything': `const topic = defineTopic('t', { schema: z.object({ at: z.coerce.date() }) });
await bus.subscribe(topic, ({ at }) => same<Date>()(at));`,
  'defineTopic: records, unions, tuples, optional fields, any and unknown': `defineTopic('t', { schema: z.record(z.string(), z.number()) });
defineTopic('t', { schema: z.union([z.string(), z.object({ a: z.number().optional() })]) });
defineTopic('t', { schema: z.tuple([z.string(), z.number().nullable()]) });
defineTopic('t', { schema: z.any() });
defineTopic('t', { schema: z.unknown() });
defineTopic('t', { schema: z.looseObject({ id: z.string().brand<'Id'>() }) });
defineTopic('t', { schema: z.discriminatedUnion('kind', [z.object({ kind: z.literal('a') }), z.object({ kind: z.literal('b') })]) });`,
  'defineTopic: a schema that contains itself': `interface Tree { name: string; children: Tree[] }
const Tree: z.ZodType<Tree, Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(Tree) }));
const topic = defineTopic('trees', { schema: Tree });
await bus.publish(topic, { name: 'root', children: [{ name: 'leaf', children: [] }] });`,
  'defineTopic: valibot': `const topic = defineTopic('t', { schema: v.object({ at: v.pipe(v.string(), v.transform((at) => new Date(at))) }) });
await bus.publish(topic, { at: '' });
await bus.subscribe(topic, ({ at }) => same<Date>()(at));
class Orders { @DiscoSubscribe(topic) on({ at }: { at: Date }) { return at; } }`,
  'defineTopic: arktype': `const topic = defineTopic('t', { schema: type({ id: 'string', at: 'string.date.iso.parse' }) });
await bus.publish(topic, { id: 'o1', at: '' });
await bus.subscribe(topic, ({ at }) => same<Date>()(at));
class Orders { @DiscoSubscribe(topic) on({ at }: { at: Date }) { return at; } }`,
  'DiscoBusService of events: topics by their names': `await typed.publish('orders', { id: 'o1', total: 1, at: new Date() });
await typed.publishBatch('orders', []);
await typed.subscribe('orders', (order) => same<Order>()(order));
await typed.subscribe('orders', (orders) => same<Order[]>()(orders), { batch: { size: 2 } });
await typed.subscribe('orders.*', (payload) => payload);
const cents = await typed.request<number>('prices.get', { item: 'lamp' });
same<number>()(cents);`,
  'DiscoBusService of events: within a generic function': `interface Events { orders: Order; names: string }
class Outbox<E extends Record<string, any>> {
  constructor(readonly bus: DiscoBusService<E>) {}
  send<Topic extends keyof E & string>(topic: Topic, payload: E[Topic]) { return this.bus.publish(topic, payload); }
  sendAll<Topic extends keyof E & string>(topic: Topic, payloads: E[Topic][]) { return this.bus.publishBatch(topic, payloads); }
}
declare const known: DiscoBusService<Events>;
async function send<Topic extends keyof Events>(topic: Topic, payload: Events[Topic]) {
  await known.publish(topic, payload);
  await known.subscribe(topic, (given: Events[Topic]) => given);
}
await new Outbox(known).send('names', 'Ada');
await send('names', 'Ada');
await known.publish<'names'>('names', 'Ada');`,
  'DiscoBusService of events: definitions beside them': `await typed.publish(OrderCreated, taken);
await typed.subscribe(OrderCreated, (order) => same<Made>()(order));
await typed.request(GetPrice, { item: 'lamp' });
await typed.deadLetters(OrderCreated).peek();`,
  'DiscoBusService: a part of it is easily made for tests': `const stub: Pick<DiscoBusService, 'publish'> = { publish: async () => ({ id: '1', timestamp: 1 }) as never };
await stub.publish(OrderCreated, taken);`,
  'transport: handlers with and without decorated parameters': `class Orders {
  @DiscoEventPattern(OrderCreated, { group: 'billing' }) on(order: Made, context: DiscoBusContext) { return [order, context]; }
  @DiscoEventPattern(OrderCreated) turned(@Ctx() context: DiscoBusContext, @Payload() order: Made) { return [order, context]; }
  @DiscoEventPattern(OrderCreated as TopicDefinition) part(@Payload('id') id: string, @Payload('total') total: number) { return [id, total]; }
  @DiscoMessagePattern(GetPrice) price({ item }: { item: string }) { return { cents: item.length, until: '' }; }
  @DiscoMessagePattern(GetPrice) async later() { return { cents: 1, until: '' }; }
  @DiscoMessagePattern(GetPrice) many() { return of({ cents: 1, until: '' }, { cents: 2, until: '' }); }
}`,
  'transport: a client typed by definitions': `client.send(GetPrice, { item: 'lamp' }).subscribe((price) => same<{ cents: number; until: Date }>()(price));
client.send(GetPrice, new DiscoRecord({ item: 'lamp' }, { timeout: '1s' }));
client.emit(OrderCreated, taken);
client.emit(OrderCreated, new DiscoRecord(taken, { delay: '5s' }));`,
  'transport: a client of patterns as Nest has them': `client.send<number>('sum', [1, 2]).subscribe((sum) => same<number>()(sum));
client.send<number, number[]>({ cmd: 'sum' }, [1, 2]);
client.emit({ event: 'orders', kind: 'new' }, { id: 1 });
declare const pattern: unknown;
client.emit(pattern, 1);`,
};
