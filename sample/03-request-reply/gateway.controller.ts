import {
  Controller,
  Get,
  HttpException,
  Inject,
  type MessageEvent,
  Param,
  Sse,
  UseInterceptors,
} from '@nestjs/common';
import { ClientProxy } from '@nestjs/microservices';
import { BusFailureInterceptor } from 'nestjs-disco-bus';
import { catchError, map, type Observable, throwError } from 'rxjs';
import type { Stock } from './warehouse.controller.js';

/** The interceptor answers for the bus: 404 when nobody is there, 503 without a connection, 504 when no reply comes. */
@UseInterceptors(BusFailureInterceptor)
@Controller('stock')
export class GatewayController {
  constructor(@Inject('WAREHOUSE') private readonly warehouse: ClientProxy) {}

  @Get(':item')
  stock(@Param('item') item: string): Observable<Stock> {
    return this.warehouse.send<Stock>({ cmd: 'stock' }, item).pipe(catchError(refused));
  }

  /** Server-sent events: one for each part of the reply. A browser that leaves ends the work of the service. */
  @Sse(':item/watch')
  watch(@Param('item') item: string): Observable<MessageEvent> {
    return this.warehouse.send<Stock>({ cmd: 'watch' }, item).pipe(map((data) => ({ data })));
  }
}

/** What the service itself said of its failure. */
function refused(error: { status?: unknown; message?: string }): Observable<never> {
  if (typeof error.status !== 'number') return throwError(() => error);
  return throwError(() => new HttpException(error.message ?? 'failed', error.status as number));
}
