import { Injectable, Logger } from '@nestjs/common';
import { DiscoBusService } from 'nestjs-disco-bus';
import type { Order, ShopEvents } from './order.js';

@Injectable()
export class CheckoutService {
  private readonly logger = new Logger('Checkout');

  constructor(private readonly bus: DiscoBusService<ShopEvents>) {}

  async placeOrder(order: Order): Promise<void> {
    const { id } = await this.bus.publish('orders', order);
    this.logger.log(`order ${order.number} published: ${order.item} (message ${id})`);
  }
}
