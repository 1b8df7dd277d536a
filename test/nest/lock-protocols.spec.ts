import {
  ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  Param,
  Scope,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory, REQUEST } from '@nestjs/core';
import {
  ClientProxyFactory,
  type ClientTCP,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import {
  currentLock,
  DiscoBusModule,
  DiscoBusService,
  type Lock,
  LockBusyInterceptor,
  WithLock,
} from 'nestjs-disco-bus';
import { register } from 'prom-client';
import { firstValueFrom, from, lastValueFrom, map, toArray } from 'rxjs';
import { freePort } from '../support/redis-server.js';

const body = {
  statusCode: 423,
  error: 'Locked',
  code: 'DISCO_LOCK_NOT_ACQUIRED',
  message: 'Somebody else holds the lock; try again later',
};
const reply = { status: 'error', code: body.code, retryable: true, message: body.message };

@Injectable()
class Refusing implements CanActivate {
  canActivate = () => false;
}

@Injectable()
class Shouting implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((keys: string[]) => keys.map((key) => key.toUpperCase())));
  }
}

/** Of every request its own. */
@Controller({ path: 'scoped', scope: Scope.REQUEST })
class Scoped {
  constructor(@Inject(REQUEST) private readonly request: { params: { id: string } }) {}

  @WithLock('order:{0}', { onBusy: 'throw' })
  @UseInterceptors(Shouting)
  @Get(':id')
  async get(@Param('id') _id: string) {
    return [this.request.params.id, ...currentLock()!.keys];
  }
}

@Controller()
class Orders {
  constructor(private readonly bus: DiscoBusService) {}

  @WithLock('order:{0}', { onBusy: 'throw' })
  @Get('above/:id')
  async above(@Param('id') _id: string) {
    return currentLock()?.keys;
  }

  @Get('below/:id')
  @WithLock('order:{0}', { onBusy: 'throw' })
  async below(@Param('id') _id: string) {
    return currentLock()?.keys;
  }

  @WithLock('order:{0}')
  @UseGuards(Refusing)
  @Get('guarded/:id')
  async guarded(@Param('id') _id: string) {}

  @Get('failing/:id')
  @WithLock('order:{0}')
  async failing(@Param('id') _id: string) {
    throw new Error('secret');
  }

  @Get('by-hand/:id')
  @UseInterceptors(LockBusyInterceptor)
  async byHand(@Param('id') id: string) {
    return this.bus.locks.using(`order:${id}`, { wait: 0 }, ({ keys }) => keys);
  }

  @MessagePattern('ship')
  @WithLock('order:{0.id}', { onBusy: 'throw' })
  async ship(_order: { id: number }) {
    return currentLock()?.keys;
  }

  @WithLock('order:{0.id}', { onBusy: 'throw' })
  @MessagePattern('track')
  track(_order: { id: number }) {
    return from(['packed', 'sent']);
  }
}

/** What an application answers to whatever is no HttpException, seen in many applications. */
@Catch()
class CatchAll implements ExceptionFilter {
  catch(error: { getStatus?: () => number }, host: ArgumentsHost) {
    const status = error.getStatus?.() ?? 500;
    host.switchToHttp().getResponse().status(status).json({ caught: status });
  }
}

@Module({
  imports: [
    PrometheusModule.register({ defaultMetrics: { enabled: false } }),
    DiscoBusModule.forRoot({ url: 'memory:' }),
  ],
  controllers: [Orders, Scoped],
})
class AppModule {}

let app: INestApplication;
let lock: Lock;
let url: string;

beforeEach(async () => {
  app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
});
afterEach(async () => {
  await app.close();
  register.clear();
});

async function listen() {
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  lock = await app.get(DiscoBusService).locks.acquire('order:1');
}

async function get(path: string) {
  const response = await fetch(`${url}/${path}`);
  return { status: response.status, body: await response.json() };
}

describe('over HTTP', () => {
  it.each(['above', 'below', 'by-hand'])('a busy lock is answered with 423: %s', async (route) => {
    await listen();
    expect(await get(`${route}/1`)).toEqual({ status: 423, body });
    expect(await get(`${route}/2`)).toEqual({ status: 200, body: ['order:2'] });
    await lock.release();
    expect(await get(`${route}/1`)).toEqual({ status: 200, body: ['order:1'] });
  });

  it('guards, interceptors and the scope of a request apply as ever', async () => {
    await listen();
    const acquire = jest.spyOn(app.get(DiscoBusService).locks, 'acquire');
    expect(await get('guarded/2')).toMatchObject({ status: 403 });
    expect(acquire).not.toHaveBeenCalled();
    expect(await get('scoped/a')).toEqual({ status: 200, body: ['A', 'ORDER:A'] });
    expect(await get('scoped/1')).toEqual({ status: 423, body });
  });

  it('other errors stay as they are', async () => {
    await listen();
    expect(await get('failing/2')).toEqual({
      status: 500,
      body: { statusCode: 500, message: 'Internal server error' },
    });
  });

  it('the filters of the application see an HttpException', async () => {
    app.useGlobalFilters(new CatchAll());
    await listen();
    expect(await get('above/1')).toEqual({ status: 423, body: { caught: 423 } });
  });

  it('what locks do is shown in /metrics', async () => {
    await listen();
    const { locks } = app.get(DiscoBusService);
    await get('above/1');
    await get('above/2');
    const lost = await locks.acquire('short', { ttl: 100 });
    await new Promise((resolve) => lost.signal.addEventListener('abort', resolve));
    await expect(lost.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
    const extended = await locks.acquire('long');
    await extended.extend();
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        '# TYPE disco_bus_lock_operations_total counter',
        'disco_bus_lock_operations_total{operation="acquire",status="success"} 4',
        'disco_bus_lock_operations_total{operation="acquire",status="failed"} 1',
        'disco_bus_lock_operations_total{operation="release",status="success"} 1',
        'disco_bus_lock_operations_total{operation="extend",status="failed"} 1',
        'disco_bus_lock_operations_total{operation="extend",status="success"} 1',
        '# TYPE disco_bus_lock_wait_duration_seconds histogram',
        'disco_bus_lock_wait_duration_seconds_count 4',
        '# TYPE disco_bus_lock_hold_duration_seconds histogram',
        'disco_bus_lock_hold_duration_seconds_count 1',
        '# TYPE disco_bus_locks_lost_total counter',
        'disco_bus_locks_lost_total 1',
      ]),
    );
  });
});

describe.each([
  ['a microservice', false],
  ['a hybrid application', true],
])('over RPC, %s', (_name, hybrid) => {
  it('a busy lock is answered with its code', async () => {
    const port = await freePort();
    const options = { transport: Transport.TCP as const, options: { host: '127.0.0.1', port } };
    const service = hybrid
      ? app.connectMicroservice<MicroserviceOptions>(options)
      : await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { ...options, logger: false });
    if (hybrid) await app.startAllMicroservices();
    else await service.listen();
    if (hybrid) await app.init();
    const client = ClientProxyFactory.create(options) as ClientTCP;
    try {
      const { locks } = (hybrid ? app : service).get(DiscoBusService);
      const held = await locks.acquire('order:1');
      const send = (pattern: string, id: number) => client.send<unknown>(pattern, { id });
      await expect(firstValueFrom(send('ship', 1))).rejects.toEqual(reply);
      await expect(lastValueFrom(send('track', 1))).rejects.toEqual(reply);
      expect(await firstValueFrom(send('ship', 2))).toEqual(['order:2']);
      await held.release();
      expect(await firstValueFrom(send('ship', 1))).toEqual(['order:1']);
      expect(await lastValueFrom(send('track', 1).pipe(toArray()))).toEqual(['packed', 'sent']);
      await (await locks.acquire('order:1')).release();
    } finally {
      client.close();
      if (!hybrid) await service.close();
    }
  });
});
