import type {
  BatchHandler,
  BatchOptions,
  BatchSubscribeOptions,
  DiscoBatchContext,
  DiscoBus,
  DiscoBusService,
  DiscoMessageContext,
  SubscribeOptions,
} from '../../../lib/index.js';

interface Order {
  readonly id: number;
}

/** Never called: that it compiles is what is tried. */
function compiles(bus: DiscoBus, service: DiscoBusService<{ orders: Order; notes: string }>): void {
  const batch: BatchOptions = { size: 10 };
  const handler: BatchHandler<Order> = (orders, { messages, signal }) => [
    orders[0].id,
    messages[0].attempt,
    signal.aborted,
  ];
  const options: BatchSubscribeOptions = { batch, concurrency: 2 };
  const single: SubscribeOptions = { concurrency: 2 };
  void bus.subscribe('orders', handler, options);
  void bus.subscribe('orders', (_orders: Order[], context: DiscoBatchContext<Order>) => context.messages, {
    batch,
  });
  // Without a type of its own a handler is told what it gets by the options.
  void bus.subscribe('orders', (payloads, context) => [payloads.length, context.messages.length], { batch });
  void bus.subscribe('orders', (order: Order, context: DiscoMessageContext) => [order, context.attempt]);
  void bus.subscribe('orders', (order: Order) => order.id, single);
  void service.subscribe('orders', handler, options);
  void service.subscribe('orders', (orders, { messages }) => [orders[0].id, messages.length], { batch });
  void service.subscribe('notes.*', (payloads) => payloads.length, { batch });
  // @ts-expect-error: with `batch`, a handler of single messages is none
  void bus.subscribe('orders', (order: Order) => order.id, { batch });
  // @ts-expect-error: without `batch`, there is no context of a batch
  void bus.subscribe('orders', (_orders: Order[], context: DiscoBatchContext<Order>) => context.messages);
  // @ts-expect-error: the notes of this bus are strings
  void service.subscribe('notes', handler, options);
}

it('batch handlers are typed from outside, by the options that they come with', () => {
  expect(compiles).toBeInstanceOf(Function);
});
