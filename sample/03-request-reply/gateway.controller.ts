import { Controller, Get, HttpException, Inject, type MessageEvent, Param, Sse } from '@nestjs/common';
import { ClientProxy } from '@nestjs/microservices';
import { isDiscoBusError } from 'nestjs-disco-bus';
import { catchError, map, type Observable, throwError } from 'rxjs';
import type { Stock } from './warehouse.controller.js';

@Controller('stock')
export class GatewayController {
  constructor(@Inject('WAREHOUSE') private readonly warehouse: ClientProxy) {}

  @Get(':item')
  stock(@Param('item') item: string): Observable<Stock> {
    return this.warehouse.send<Stock>({ cmd: 'stock' }, item).pipe(catchError(toHttp));
  }

  /** Server-sent events: one for each part of the reply. A browser that leaves ends the work of the service. */
  @Sse(':item/watch')
  watch(@Param('item') item: string): Observable<MessageEvent> {
    return this.warehouse.send<Stock>({ cmd: 'watch' }, item).pipe(map((data) => ({ data })));
  }
}

/** What the service said of its failure, or what the bus says when nobody answers. */
function toHttp(error: { status?: unknown; message?: string }): Observable<never> {
  if (isDiscoBusError(error, 'DISCO_NO_RESPONDERS'))
    return throwError(() => new HttpException('closed', 503));
  if (isDiscoBusError(error, 'DISCO_REQUEST_TIMEOUT'))
    return throwError(() => new HttpException('busy', 504));
  const status = typeof error.status === 'number' ? error.status : 500;
  return throwError(() => new HttpException(error.message ?? 'failed', status));
}
