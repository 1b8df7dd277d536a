import { Body, Controller, Get, Inject, NotFoundException, Param, Post } from '@nestjs/common';
import type { ClientProxy } from '@nestjs/microservices';
import { catchError, type Observable, throwError } from 'rxjs';
import type { Order } from './order.js';

/** What the world sees over HTTP. */
@Controller('orders')
export class OrdersGateway {
  constructor(@Inject('ORDERS') private readonly client: ClientProxy) {}

  /** Kept by the bus before the answer goes out; handled when somebody can. */
  @Post()
  place(@Body() order: Order): Observable<unknown> {
    return this.client.emit('orders.placed', order);
  }

  @Get(':number/total')
  total(@Param('number') number: string): Observable<number> {
    const notFound = ({ message }: { message: string }) => throwError(() => new NotFoundException(message));
    return this.client.send('orders.total', Number(number)).pipe(catchError(notFound));
  }
}
