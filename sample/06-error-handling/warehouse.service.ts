import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DiscoContext, type DiscoMessageContext, DiscoPayload, DiscoSubscribe } from 'nestjs-disco-bus';
import { Order } from './order.js';

/** Things that go wrong; whatever a handler does, the process lives and the next order is handled. */
@Injectable()
export class WarehouseService {
  private readonly logger = new Logger('Warehouse');

  @DiscoSubscribe('orders', { schema: Order, timeout: '200ms' })
  async ship(@DiscoPayload() order: Order, @DiscoContext() context: DiscoMessageContext): Promise<void> {
    if (order.item === 'a fog machine') throw new Error('out of fog machines');
    // Not an Error: a programming error, counted as a panic.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    if (order.item === 'a glitter bomb') throw 'boom';
    // The signal aborts when the 200 ms are over.
    if (order.item === 'a slow dance') await pause(60_000, undefined, { signal: context.signal });
    this.logger.log(`order ${order.number} shipped: ${order.item}`);
  }

  /** At least once: tried again, and kept as a dead letter when the last attempt has failed. */
  @DiscoSubscribe('returns', {
    delivery: 'at-least-once',
    schema: Order,
    retry: { attempts: 2, backoff: { type: 'fixed', delay: 50 } },
  })
  takeBack(@DiscoPayload() order: Order): never {
    throw new Error(`no shelf for ${order.item}`);
  }
}
