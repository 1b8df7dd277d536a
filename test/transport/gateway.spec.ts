import {
  Body,
  Controller,
  Get,
  HttpCode,
  type INestApplication,
  Post,
  Query,
  type Type,
} from '@nestjs/common';
import {
  Client,
  ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  RpcException,
} from '@nestjs/microservices';
import { catchError, from, lastValueFrom, Observable, of, scan, take, throwError } from 'rxjs';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import type { DiscoBusClientOptions, DiscoBusServerOptions } from '../../lib/transport/transport-options.js';
import { Collector } from '../support/collector.js';
import { createApp, engines, stage, useEngines } from './support.js';

useEngines();

const notified = new Collector<unknown>();

/** Makes RpcExceptions of what a service refuses, as an application's own client may. */
class StrictClient extends DiscoBusClient {
  override serializeError(error: { code?: number }): RpcException {
    return new RpcException(error);
  }
}

/** HTTP in front, patterns behind, in one class: the shape of an application that was written for another transport. */
function gatewayOver(options: DiscoBusClientOptions): Type<object> {
  @Controller()
  class Gateway {
    @Client({ customClass: DiscoBusClient, options } as never)
    readonly client!: ClientProxy;

    readonly strict = ClientProxyFactory.create({ customClass: StrictClient, options });

    @Post()
    @HttpCode(200)
    call(@Query('command') cmd: string, @Body() data: number[]): Observable<number> {
      return this.client.send<number>({ cmd }, data);
    }

    @Post('stream')
    @HttpCode(200)
    stream(@Body() data: number[]): Observable<number> {
      return this.client.send<number>({ cmd: 'streaming' }, data).pipe(scan((a, b) => a + b));
    }

    @Post('concurrent')
    @HttpCode(200)
    async concurrent(@Body() rows: number[][]): Promise<boolean> {
      const right = await Promise.all(
        rows.map(async (row) => (await lastValueFrom(this.client.send({ cmd: 'sum' }, row))) === total(row)),
      );
      return right.every(Boolean);
    }

    @Get('broadcast')
    broadcast(): Observable<number> {
      return this.client.send<number>({ cmd: 'broadcast' }, {}).pipe(
        scan((a, b) => a + b),
        take(2),
      );
    }

    @Post('notify')
    notify(@Body() data: unknown): Observable<unknown> {
      return this.client.emit('notification', data);
    }

    @Post('refused')
    @HttpCode(200)
    refused(@Query('client') which: 'client' | 'strict'): Observable<boolean> {
      return this[which]
        .send({ cmd: 'refuse' }, {})
        .pipe(catchError((error) => of(error instanceof RpcException)));
    }

    onModuleDestroy(): unknown {
      return this.strict.close();
    }

    @MessagePattern({ cmd: 'sum' })
    sum(data: number[]): number {
      return total(data);
    }

    @MessagePattern({ cmd: 'asyncSum' })
    async asyncSum(data: number[]): Promise<number> {
      return total(data);
    }

    @MessagePattern({ cmd: 'streamSum' })
    streamSum(data: number[]): Observable<number> {
      return of(total(data));
    }

    @MessagePattern({ cmd: 'streaming' })
    streaming(data: number[]): Observable<number> {
      return from(data);
    }

    @MessagePattern({ cmd: 'broadcast' })
    replyToAll(): Observable<number> {
      return new Observable((observer) => observer.next(1));
    }

    @MessagePattern({ cmd: 'refuse' })
    refuse(): Observable<never> {
      return throwError(() => new RpcException({ code: 409 }));
    }

    @EventPattern('notification')
    onNotification(data: unknown): void {
      notified.add(data);
    }
  }
  return Gateway;
}

function total(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

describe.each(engines)('An HTTP gateway over $name', (engine) => {
  const { byUrl } = stage(engine);
  let app: INestApplication;

  const start = async (servers: DiscoBusServerOptions[] = [{}], client: DiscoBusClientOptions = {}) => {
    app = await createApp({ controllers: [gatewayOver({ ...byUrl(), ...client })] });
    for (const options of servers) {
      app.connectMicroservice({ strategy: new DiscoBusServer({ ...byUrl(), ...options }) });
    }
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
  };
  const ask = async (method: 'GET' | 'POST', path: string, body?: unknown) => {
    const response = await fetch((await app.getUrl()) + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return [response.status, await response.text()];
  };

  it('answers with what a handler returns, resolves or emits', async () => {
    await start();
    for (const command of ['sum', 'asyncSum', 'streamSum']) {
      expect(await ask('POST', `/?command=${command}`, [1, 2, 3, 4, 5])).toEqual([200, '15']);
    }
  });

  it('answers with the last of a stream', async () => {
    await start();
    expect(await ask('POST', '/stream', [1, 2, 3, 4, 5])).toEqual([200, '15']);
  });

  it('keeps concurrent requests apart', async () => {
    await start();
    const rows = Array.from({ length: 10 }, (_, row) => Array.from({ length: 10 }, (_, n) => row * 10 + n));
    expect(await ask('POST', '/concurrent', rows)).toEqual([200, 'true']);
  });

  it('is an internal error when no service has the pattern', async () => {
    await start();
    const [status] = await ask('POST', '/?command=none', [1]);
    expect(status).toBe(500);
  });

  it('notifies', async () => {
    await start();
    const before = notified.values.length;
    expect(await ask('POST', '/notify', { news: 'good' })).toEqual([201, '']);
    expect((await notified.has(before + 1)).at(-1)).toEqual({ news: 'good' });
  });

  it('has every instance answer when its client asks for that', async () => {
    await start([{}, {}], { requests: 'every' });
    expect(await ask('GET', '/broadcast')).toEqual([200, '2']);
  });

  it('maps errors by the client’s own serializeError', async () => {
    await start();
    expect(await ask('POST', '/refused?client=strict', {})).toEqual([200, 'true']);
    expect(await ask('POST', '/refused?client=client', {})).toEqual([200, 'false']);
  });
});
