import { Injectable, Logger } from '@nestjs/common';
import { DiscoOutbox } from 'nestjs-disco-bus/outbox';
import { Pool } from 'pg';
import { inTransaction } from './in-transaction.js';
import type { Order } from './order.js';

@Injectable()
export class ShopService {
  private readonly logger = new Logger('Shop');

  constructor(
    private readonly pool: Pool,
    private readonly outbox: DiscoOutbox,
  ) {}

  /** The order and its event commit together, or neither does. */
  async place(order: Order): Promise<void> {
    await inTransaction(this.pool, async (tx) => {
      await tx.query('INSERT INTO sample_orders (id, total) VALUES ($1, $2)', [order.id, order.total]);
      await this.outbox.publish('orders.placed', order, { tx, key: String(order.id) });
      if (order.total > 1_000) throw new Error(`order ${order.id} is more than the customer has`);
    });
    this.logger.log(`placed order ${order.id}`);
  }
}
