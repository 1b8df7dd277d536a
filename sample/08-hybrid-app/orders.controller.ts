import { Controller, Logger } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Subject } from 'rxjs';
import type { Order } from './order.js';

/** What goes over the bus: here in the same application, or in any other. */
@Controller()
export class OrdersController {
  private readonly logger = new Logger('Orders');
  private readonly orders = new Map<number, Order>();
  /** Orders as they come in. */
  readonly arrivals = new Subject<Order>();

  @EventPattern('orders.placed')
  placed(@Payload() order: Order): void {
    this.orders.set(order.number, order);
    this.logger.log(`order ${order.number} placed: ${order.items.join(', ')}`);
    this.arrivals.next(order);
  }

  @MessagePattern('orders.total')
  total(@Payload() number: number): number {
    const order = this.orders.get(number);
    if (!order) throw new RpcException(`there is no order ${number}`);
    return order.items.length * 10;
  }
}
