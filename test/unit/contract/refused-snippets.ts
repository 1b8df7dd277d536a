import type { Snippets } from './snippets.js';

/** What must not compile. The marked line is the place, the number the kind of mistake, and the rest is part of what is said. */
export const refused: Snippets = {
  'publish: a payload that lacks a field': `await bus.publish(OrderCreated, { id: 'o1', total: 5, at: '' }); // ! 2345 Property 'customer' is missing`,
  'publish: a field of another type': `await bus.publish(OrderCreated, {
  ...taken,
  total: 'much', // ! 2322 Type 'string' is not assignable to type 'number'
});`,
  'publish: a field that there is not': `await bus.publish(Plain, {
  id: 'o1', total: 1, at: new Date(),
  totl: 1, // ! 2561 'totl' does not exist in type 'Order'
});`,
  'publish: what the schema makes instead of what it takes': `declare const made: Made;
await service.publish(OrderCreated, made); // ! 2345 Type 'Date' is not assignable to type 'string'`,
  'publish: a request': `await bus.publish(GetPrice, { item: 'lamp' }); // ! 2345 is not assignable to parameter of type`,
  'publish: what is neither a name nor a definition': `await bus.publish({ name: 'orders' }, taken); // ! 2345 missing the following properties from type 'TopicDefinition`,
  'publish: an option that there is not': `await bus.publish(OrderCreated, taken, { kee: 'k' }); // ! 2353 'kee' does not exist in type 'PublishOptions'`,
  'publishBatch: one payload that does not fit': `await bus.publishBatch(OrderCreated, [
  taken,
  { id: 'o2' }, // ! 2739 missing the following properties
]);`,
  'publishBatch: a payload that is no array': `await service.publishBatch(OrderCreated, taken); // ! 2345 is not assignable to parameter of type`,
  'request: a payload that does not fit': `await bus.request(GetPrice, { item: 7 }); // ! 2322 Type 'number' is not assignable to type 'string'`,
  'request: a topic': `await service.request(OrderCreated, taken); // ! 2769 RequestDefinition`,
  'request: the reply taken for what it is not': `const { cents } = await bus.request(GetPrice, { item: 'lamp' });
const text: string = cents; // ! 2322 Type 'number' is not assignable to type 'string'`,
  'request: the Date of a plain reply': `const { until } = await bus.request(PlainPrice, { item: 'lamp' });
until.getTime(); // ! 2339 Property 'getTime' does not exist on type 'string'`,
  'subscribe: a handler of another payload': `await bus.subscribe(OrderCreated, (order: { id: number }) => order); // ! 2345 Type 'string' is not assignable to type 'number'`,
  'subscribe: a field that there is not': `await bus.subscribe(OrderCreated, (order) => {
  order.totl; // ! 2551 Did you mean 'total'
});`,
  'subscribe: the Date of a plain payload': `await service.subscribe(Plain, ({ at }) => {
  at.getTime(); // ! 2339 Property 'getTime' does not exist on type 'string'
});`,
  'subscribe: a handler of batches without batch': `await bus.subscribe(OrderCreated, (orders: Made[]) => orders); // ! 2345 length`,
  'subscribe: a handler of single messages with batch': `await bus.subscribe(OrderCreated, (order: Made) => order, { batch: { size: 3 } }); // ! 2769 Made`,
  'subscribe: a handler of another context': `await bus.subscribe(OrderCreated, (order, context: string) => [order, context]); // ! 2345 is not assignable to type 'string'`,
  'subscribe: a reply that does not fit': `await bus.subscribe(GetPrice, () => ({ cents: 'many', until: '' })); // ! 2322 Type 'string' is not assignable to type 'number'`,
  'subscribe: a request in batches': `await bus.subscribe(GetPrice, () => undefined, { batch: { size: 2 } }); // ! 2769 is not assignable to type 'undefined'`,
  'deadLetters: the payload of a plain type': `const [letter] = await bus.deadLetters(Plain).peek();
letter!.message!.payload.at.getTime(); // ! 2339 Property 'getTime' does not exist on type 'string'`,
  'client: a payload that does not fit': `await bus.client(shop).getPrice({
  item: 7, // ! 2322 Type 'number' is not assignable to type 'string'
});`,
  'client: a topic is no method of it': `await bus.client(shop).OrderCreated(taken); // ! 2339 Property 'OrderCreated' does not exist on type 'ContractClient`,
  'client: what is no contract': `bus.client({ orders: 'orders' }); // ! 2322 Type 'string' is not assignable to type 'Definition'`,
  '@DiscoSubscribe: a payload that does not fit': `class Orders {
  @DiscoSubscribe(OrderCreated) // ! 1241 Type 'Date' is not assignable to type 'string'
  on({ at }: { at: string }) { return at; }
}`,
  '@DiscoSubscribe: a decorated payload that does not fit': `class Orders {
  @DiscoSubscribe(OrderCreated) // ! 1241 order: { id: number; }
  on(@DiscoContext() context: DiscoMessageContext, @DiscoPayload() order: { id: number }) { return [context, order]; }
}`,
  '@DiscoSubscribe: a context that does not fit': `class Orders {
  @DiscoSubscribe(OrderCreated) // ! 1241
  on(order: Made, context: DiscoMessageContext<{ other: string }>) { return [order, context]; }
}`,
  '@DiscoSubscribe: an array without batch': `class Orders {
  @DiscoSubscribe(OrderCreated) // ! 1241
  on(orders: Made[]) { return orders; }
}`,
  '@DiscoSubscribe: a single payload with batch': `class Orders {
  @DiscoSubscribe(OrderCreated, { batch: { size: 3 } }) // ! 1241
  on(order: Made) { return order; }
}`,
  '@DiscoSubscribe: a request in batches': `class Prices {
  @DiscoSubscribe(GetPrice, { batch: { size: 3 } }) // ! 2769
  price() { return undefined; }
}`,
  '@DiscoSubscribe: a reply that does not fit': `class Prices {
  @DiscoSubscribe(GetPrice) // ! 1241 Type 'string' is not assignable to type 'number'
  price() { return { cents: 'many', until: '' }; }
}`,
  '@DiscoSubscribe: a promise of a reply that does not fit': `class Prices {
  @DiscoSubscribe(GetPrice) // ! 1241
  async price() { return { cents: 1, until: new Date() }; }
}`,
  '@DiscoSubscribe: an Observable of replies that do not fit': `class Prices {
  @DiscoSubscribe(GetPrice) // ! 1241
  price() { return of({ cents: 1 }); }
}`,
  '@DiscoSubscribe: an AsyncIterable of replies that do not fit': `class Prices {
  @DiscoSubscribe(GetPrice) // ! 1241
  async *price() { yield 7; }
}`,
  '@DiscoSubscribe: an option that there is not': `class Orders {
  @DiscoSubscribe(OrderCreated, { concurency: 3 }) // ! 2769 'concurency' does not exist
  on(order: Made) { return order; }
}`,
  'versions: an upgrade that makes something else': `OrderCreated.version(2, {
  schema: z.object({ id: z.number() }),
  upgrade: ({ id }) => ({ id }), // ! 2322 Type 'string' is not assignable to type 'number'
});`,
  'versions: an upgrade of something else': `OrderCreated.version(2, {
  schema: z.object({ id: z.string() }),
  upgrade: ({ name }: { name: string }) => ({ id: name }), // ! 2322 Property 'name' is missing
});`,
  'versions: a schema that takes a Date': `OrderCreated.version(2, {
  schema: z.object({ at: z.date() }), // ! 2322 this schema takes values that JSON does not carry
  upgrade: ({ at }) => ({ at }),
});`,
  'defineTopic: a schema that takes a Date': `defineTopic('t', {
  schema: z.object({ at: z.date() }), // ! 2769 this schema takes values that JSON does not carry
});`,
  'defineTopic: a schema that takes a Map': `defineTopic('t', {
  schema: z.object({ all: z.map(z.string(), z.number()) }), // ! 2769 this schema takes values that JSON does not carry
});`,
  'defineTopic: a schema that takes a bigint': `defineTopic('t', {
  schema: z.bigint(), // ! 2769 this schema takes values that JSON does not carry
});`,
  'defineTopic: a valibot schema that takes a Date': `defineTopic('t', {
  schema: v.object({ at: v.date() }), // ! 2769 this schema takes values that JSON does not carry
});`,
  'defineTopic: an arktype schema that takes a Date': `defineTopic('t', {
  schema: type({ at: 'Date' }), // ! 2769 this schema takes values that JSON does not carry
});`,
  'defineTopic: a key that is no string': `defineTopic('t', {
  schema: OrderSchema,
  key: ({ total }) => total, // ! 2769 Type 'number' is not assignable to type 'string'
});`,
  'defineRequest: a reply that takes a Date': `defineRequest('t', {
  schema: z.string(),
  reply: z.object({ at: z.date() }), // ! 2769 this schema takes values that JSON does not carry
});`,
  'DiscoBusService of events: another payload': `await typed.publish('orders', { id: 'o1', total: 1 }); // ! 2345 Property 'at' is missing`,
  'DiscoBusService of events: the payload of a topic for a definition': `declare const order: Order;
await typed.publish(OrderCreated, order); // ! 2345 Property 'customer' is missing`,
  'DiscoBusService of events: a topic that there is not': `await typed.publish('ordres', { id: 'o1' }); // ! 2345 Argument of type '"ordres"' is not assignable`,
  'DiscoBusService of events: a handler of another payload': `await typed.subscribe('orders', (order: string) => order); // ! 2769 string`,
  'transport: a handler of another payload': `class Orders {
  @DiscoEventPattern(OrderCreated) // ! 1241 Type 'Date' is not assignable to type 'string'
  on({ at }: { at: string }) { return at; }
}`,
  'transport: a handler of a request that replies otherwise': `class Prices {
  @DiscoMessagePattern(GetPrice) // ! 1241 Type 'string' is not assignable to type 'number'
  price() { return { cents: 'many', until: '' }; }
}`,
  'transport: extras that belong to the definition': `class Orders {
  @DiscoEventPattern(OrderCreated, { delivery: 'at-most-once' }) // ! 2353 'delivery' does not exist
  on() {}
}`,
  'transport: a request sent with another payload': `client.send(GetPrice, { item: 7 }); // ! 2769 Type 'number' is not assignable to type 'string'`,
  'transport: an event of another payload': `client.emit(OrderCreated, { id: 'o1' }); // ! 2769 missing the following properties`,
  'transport: a topic that is sent': `client.send(OrderCreated, taken); // ! 2769 is not assignable to parameter of type 'never'`,
};
