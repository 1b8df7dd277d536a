import { Injectable, Logger } from '@nestjs/common';
import { DiscoContext, type DiscoMessageContext, DiscoPayload, DiscoSubscribe } from 'nestjs-disco-bus';
import { inboxTable } from 'nestjs-disco-bus/outbox';
import { Pool } from 'pg';
import { inTransaction } from './in-transaction.js';
import type { Order } from './order.js';

@Injectable()
export class BillingService {
  private readonly logger = new Logger('Billing');
  private readonly inbox = inboxTable({ table: 'sample_inbox' });
  /** The attempts that were made. */
  attempts = 0;

  constructor(private readonly pool: Pool) {}

  /** May be called twice for an order; bills it once. */
  @DiscoSubscribe('orders.placed')
  async bill(@DiscoPayload() order: Order, @DiscoContext() context: DiscoMessageContext): Promise<void> {
    this.attempts++;
    await inTransaction(this.pool, (tx) =>
      this.inbox.once(context, tx, async () => {
        await tx.query('INSERT INTO sample_bills (order_id, total) VALUES ($1, $2)', [order.id, order.total]);
      }),
    );
    if (context.attempt === 1 && order.id === 2) throw new Error('the line was cut after the commit');
    this.logger.log(`order ${order.id} is billed, attempt ${context.attempt}`);
  }
}
