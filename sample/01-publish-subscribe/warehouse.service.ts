import { Injectable, Logger } from '@nestjs/common';
import { DiscoContext, type DiscoMessageContext, DiscoPayload, DiscoSubscribe } from 'nestjs-disco-bus';
import type { Order } from './order.js';

@Injectable()
export class WarehouseService {
  private readonly logger = new Logger('Warehouse');
  private shipped = 0;
  private onShipped = () => {};

  @DiscoSubscribe('orders')
  ship(@DiscoPayload() order: Order, @DiscoContext() context: DiscoMessageContext): void {
    this.logger.log(`order ${order.number} handled: ${order.item} (attempt ${context.attempt})`);
    this.shipped++;
    this.onShipped();
  }

  /** Resolves when so many orders have been shipped. */
  async hasShipped(count: number): Promise<void> {
    while (this.shipped < count) await new Promise<void>((resolve) => (this.onShipped = resolve));
  }
}
