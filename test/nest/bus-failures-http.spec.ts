import { Controller, Get, type INestApplication, Param, UseInterceptors } from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import {
  BusFailureInterceptor,
  busHttpException,
  DiscoBusModule,
  DiscoBusService,
  DriverError,
  NotConnectedError,
  RemoteError,
  ReplyLostError,
  StreamFullError,
} from 'nestjs-disco-bus';
import { DiscoBusClient } from 'nestjs-disco-bus/transport';
import type { Observable } from 'rxjs';
import { RedisServer } from '../support/redis-server.js';
import { gate } from './support.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };
let redis: RedisServer;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => redis.stop());

@Controller()
class Gateway {
  readonly client: DiscoBusClient;

  constructor(private readonly bus: DiscoBusService) {
    this.client = new DiscoBusClient({ bus: bus.bus, timeout: 100 });
  }

  @Get('ask/:topic')
  ask(@Param('topic') topic: string): Promise<unknown> {
    return this.bus.request(topic, 1, { timeout: topic === 'patient' ? '30s' : 200 });
  }

  @Get('send/:pattern')
  send(@Param('pattern') pattern: string): Observable<unknown> {
    return this.client.send(pattern, 1);
  }

  @Get('lock')
  lock(): Promise<unknown> {
    return this.bus.locks.acquire('stock', { wait: 1 });
  }
}

@UseInterceptors(BusFailureInterceptor)
@Controller('own')
class OwnGateway extends Gateway {}

/** A real HTTP server; `get` answers status and body. */
const defaults = { delivery: 'at-most-once' } as const;

async function start(url: string, { global = true, connection = {}, shutdownTimeout = 10_000 } = {}) {
  const app: INestApplication = await NestFactory.create(
    {
      module: class App {},
      imports: [
        DiscoBusModule.forRoot({
          url,
          service: 'shop',
          logger: silent,
          connection,
          defaults,
          shutdownTimeout,
        }),
      ],
      controllers: [Gateway, OwnGateway],
      providers: global ? [{ provide: APP_INTERCEPTOR, useClass: BusFailureInterceptor }] : [],
    },
    { logger: false, abortOnError: false },
  );
  closing.push(() => app.close());
  await app.listen(0);
  const address = await app.getUrl();
  const get = async (path: string) => {
    const response = await fetch(`${address.replace('[::1]', 'localhost')}/${path}`);
    const { statusCode, code, message } = (await response.json()) as Record<string, unknown>;
    expect(statusCode).toBe(response.status);
    return { status: response.status, code, message };
  };
  return { app, bus: app.get(DiscoBusService), get };
}

const urls = [
  { name: 'memory', url: () => 'memory:' },
  { name: 'redis', url: () => redis.url },
];

describe.each(urls)('Over HTTP, on $name', ({ url }) => {
  it('nobody there is a 404, no answer in time a 504, a full backlog a 503, a busy lock a 423, a handler’s own failure a 500', async () => {
    const { bus, get } = await start(url());
    const busy = gate();
    const never = () => busy.opened;
    await bus.subscribe('slow', never);
    await bus.subscribe('full', never, { concurrency: 1, prefetch: 0, backlog: { limit: 1 } });
    await bus.subscribe('broken', () => {
      throw new RangeError('sold out');
    });
    const held = await bus.locks.acquire('stock');
    try {
      expect(await get('ask/nobody')).toMatchObject({ status: 404, code: 'DISCO_NO_RESPONDERS' });
      expect(await get('send/nobody')).toMatchObject({ status: 404, code: 'DISCO_NO_RESPONDERS' });
      expect(await get('own/ask/nobody')).toMatchObject({ status: 404 });
      expect(await get('ask/slow')).toMatchObject({ status: 504, code: 'DISCO_REQUEST_TIMEOUT' });
      expect(await get('lock')).toMatchObject({ status: 423, code: 'DISCO_LOCK_NOT_ACQUIRED' });
      expect(await get('ask/broken')).toMatchObject({ status: 500, message: 'Internal server error' });
      const answers = await Promise.all(Array.from({ length: 8 }, () => get('ask/full')));
      expect(answers.map(({ status }) => status)).toContain(503);
      expect(answers.find(({ status }) => status === 503)).toMatchObject({ code: 'DISCO_BACKPRESSURE' });
    } finally {
      busy.open();
      await held.release();
    }
  });

  it('only where the interceptor is', async () => {
    const { get } = await start(url(), { global: false });
    expect(await get('ask/nobody')).toMatchObject({ status: 500 });
    expect(await get('own/ask/nobody')).toMatchObject({ status: 404 });
  });

  it('a bus that has stopped is a 503', async () => {
    const { bus, get } = await start(url());
    await bus.bus.stop();
    expect(await get('ask/nobody')).toMatchObject({ status: 503 });
  });
});

describe('Over HTTP, without a server behind it', () => {
  it('a bus that never was connected does not answer for ever', async () => {
    const gone = await RedisServer.start();
    await gone.stop();
    const { get } = await start(gone.url, { connection: { wait: false } });
    expect([503, 504]).toContain((await get('ask/nobody')).status);
  });

  it('a connection lost on the way is a 503 that says that the outcome is unknown', async () => {
    const server = await RedisServer.start();
    closing.unshift(() => server.stop());
    // The handler never ends: closing does not wait for it.
    const { bus, get } = await start(server.url, { shutdownTimeout: 100 });
    const begun = gate();
    await bus.subscribe(
      'patient',
      () => {
        begun.open();
        return new Promise(() => {});
      },
      { timeout: 500 },
    );
    const answer = get('ask/patient');
    await begun.opened;
    await server.stop();
    expect(await answer).toMatchObject({
      status: 503,
      code: 'DISCO_REQUEST_TIMEOUT',
      message: 'The connection was lost; whether it was done is unknown',
    });
  });
});

describe('busHttpException', () => {
  const remote = (code: string) => new RemoteError('t', { message: 'm', code });
  it.each<[string, unknown, number | undefined]>([
    ['not connected', new NotConnectedError('x'), 503],
    ['full stream', new StreamFullError('t', 1), 503],
    ['unreadable reply', new ReplyLostError('t', 'unreadable'), 502],
    ['refused by the server for now', new DriverError('x', { retryable: true }), 503],
    ['refused by the server', new DriverError('x', { retryable: false }), undefined],
    ['full at the other side', remote('DISCO_BACKPRESSURE'), 503],
    ['closing at the other side', remote('DISCO_CLOSED'), 503],
    ['nobody behind the other side', remote('DISCO_NO_RESPONDERS'), undefined],
    ['what a handler threw', remote('MINE'), undefined],
    ['what a microservice says', { status: 'error', code: 'DISCO_LOCK_NOT_ACQUIRED' }, 423],
    ['an error of another kind', Object.assign(new Error('x'), { code: 'ECONNRESET' }), undefined],
    ['a number', 5, undefined],
    ['null', null, undefined],
  ])('%s', (_, error, status) => {
    const exception = busHttpException(error);
    expect(exception?.getStatus()).toBe(status);
    if (exception) expect(exception.cause).toBe(error);
  });
});
