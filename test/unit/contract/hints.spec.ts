import current from 'typescript';
import { Compilation } from './snippets.js';

/** What an editor shows of a name: by what a reader looks at. */
const hints: readonly [what: string, name: string, code: string, shown: string][] = [
  [
    'what a handler gets',
    'order',
    'void bus.subscribe(OrderCreated, (order) => order); // <-',
    '{ id: string; total: number; at: Date; customer: { id: string; }; }',
  ],
  [
    'what a handler of a told type gets',
    'order',
    'void bus.subscribe(Plain, (order) => order); // <-',
    '{ id: string; total: number; at: string; }',
  ],
  [
    'what a batch handler gets',
    'orders',
    'void bus.subscribe(OrderCreated, (orders) => orders, { batch: { size: 2 } }); // <-',
    '{ id: string; total: number; at: Date; customer: { id: string; }; }[]',
  ],
  [
    'a topic of a schema',
    'OrderCreated',
    'void OrderCreated; // <-',
    'TopicDefinition<{ id: string; total: number; at: string; customer: { id: string; }; }, { id: string; total: number; at: Date; customer: { id: string; }; }>',
  ],
  [
    'a topic of a told type',
    'Plain',
    'void Plain; // <-',
    'TopicDefinition<Order, { id: string; total: number; at: string; }>',
  ],
  [
    'a request',
    'PlainPrice',
    'void PlainPrice; // <-',
    'RequestDefinition<{ item: string; }, { item: string; }, Price, { cents: number; until: string; }>',
  ],
  [
    'a method of a client',
    'getPrice',
    'void bus.client(shop).getPrice; // <-',
    '(payload: { item: string; }, options?: RequestOptions | undefined) => Promise<{ cents: number; until: Date; }>',
  ],
  [
    'a reply',
    'price',
    'const price = await bus.request(GetPrice, { item: `lamp` }); void price; // <-',
    '{ cents: number; until: Date; }',
  ],
  [
    'a dead letter',
    'letter',
    'const [letter] = await bus.deadLetters(Plain).peek(); void letter; // <-',
    'DeadLetteredMessage<{ id: string; total: number; at: string; }>',
  ],
];

describe('What an editor shows', () => {
  let compilation: Compilation;
  beforeAll(() => {
    compilation = new Compilation(current, Object.fromEntries(hints.map(([what, , code]) => [what, code])));
  }, 120_000);

  it.each(hints)('of %s is what its author wrote, and short', (what, name, _, shown) => {
    expect(compilation.mistakes(what)).toEqual([]);
    expect(compilation.hover(what, name)).toBe(shown);
  });
});
