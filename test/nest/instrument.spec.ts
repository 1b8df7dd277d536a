import { randomUUID } from 'node:crypto';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  type INestApplication,
  Injectable,
  Module,
  type ModuleMetadata,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import {
  type ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import {
  currentLock,
  DiscoBusModule,
  DiscoBusService,
  DiscoContext,
  type DiscoDriver,
  type DiscoEvent,
  DiscoHandlers,
  DiscoHealth,
  type DiscoMessageContext,
  DiscoPayload,
  DiscoSubscribe,
  OnDiscoEvent,
  WithLock,
} from 'nestjs-disco-bus';
import { memoryDriver } from 'nestjs-disco-bus/memory';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { DiscoBusClient, DiscoBusServer } from 'nestjs-disco-bus/transport';
import { register } from 'prom-client';
import { firstValueFrom } from 'rxjs';
import { Collector } from '../support/collector.js';
import { RedisServer } from '../support/redis-server.js';

/**
 * As tools do that watch an application: each instance stands behind a Proxy, and its methods are called with the Proxy as
 * `this`. What has internal slots cannot stand there, for Nest's own sake.
 */
function behindProxy(instance: unknown): any {
  const slots = [Map, Set, WeakMap, Promise, Date];
  if (typeof instance !== 'object' || instance === null) return instance;
  if (slots.some((type) => instance instanceof type)) return instance;
  return new Proxy(instance, {
    get: (target, key, receiver) => {
      const value = Reflect.get(target, key, receiver);
      return typeof value === 'function' && key !== 'constructor' ? value.bind(receiver) : value;
    },
  });
}

const open: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  register.clear();
});

async function instrumented(metadata: ModuleMetadata): Promise<INestApplication> {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.create(AppModule, {
    instrument: { instanceDecorator: behindProxy },
    logger: false,
    abortOnError: false,
  });
  open.push(app);
  return app;
}

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

const drivers: Record<string, () => DiscoDriver> = {
  memory: () => memoryDriver(),
  redis: () => redisDriver({ url: redis.url }),
};

const atMostOnce = { delivery: 'at-most-once' } as const;
const fresh = () => ({
  service: 'billing',
  prefix: `t${randomUUID()}`,
  topics: { double: atMostOnce, open: atMostOnce, shut: atMostOnce },
});

describe.each(Object.entries(drivers))('An application with `instrument`, over %s', (_name, driver) => {
  it('publishes, handles, retries, tells of events and of its health, and shuts down', async () => {
    const told = new Collector<unknown>();
    @Injectable()
    class Orders {
      private readonly failing = 'order 2';
      @DiscoSubscribe('orders', { retry: { attempts: 2, backoff: { delay: 1 } } })
      onOrder(order: string, { attempt }: DiscoMessageContext) {
        told.add(`${order}, attempt ${attempt}`);
        if (order === this.failing) throw new Error('out of stock');
      }
      @OnDiscoEvent('dead-letter')
      onDeadLetter({ reason }: DiscoEvent<'dead-letter'>) {
        told.add(`${this.failing} given up: ${reason}`);
      }
      @DiscoSubscribe('double')
      double(n: number) {
        return n * 2;
      }
    }
    const app = await instrumented({
      imports: [
        PrometheusModule.register(),
        DiscoBusModule.forRootAsync({
          imports: [
            {
              module: class DriverModule {},
              providers: [{ provide: 'DRIVER', useFactory: driver }],
              exports: ['DRIVER'],
            },
          ],
          inject: ['DRIVER'],
          useFactory: (given: DiscoDriver) => ({ driver: given, ...fresh() }),
        }),
      ],
      providers: [Orders, { provide: 'SAME', inject: [Orders], useFactory: (orders: Orders) => orders }],
    });
    await app.init();
    const bus = app.get(DiscoBusService);
    expect(app.get(DiscoHandlers).list()).toHaveLength(2);

    await bus.publish('orders', 'order 1');
    await told.has(1);
    await bus.publish('orders', 'order 2');
    await told.has(4);
    expect(told.values).toEqual([
      'order 1, attempt 1',
      'order 2, attempt 1',
      'order 2, attempt 2',
      'order 2 given up: attempts',
    ]);
    expect(await bus.request('double', 21)).toBe(42);
    expect(await app.get(DiscoHealth).check({ deadLetters: 1 })).toMatchObject({
      status: 'degraded',
      problems: [{ problem: 'dead-letters', topic: 'orders' }],
      buses: [{ handlers: 2, live: 2 }],
    });
    expect(await register.metrics()).toMatch(
      /disco_bus_messages_processed_total\{topic="orders",status="success"\} 1/,
    );
    await app.close();
    expect(bus.state).toBe('closed');
  });

  it('answers requests and handles events over the transport', async () => {
    const told = new Collector<string>();
    @Controller()
    class Sums {
      private readonly word = 'sum';
      @MessagePattern('sum')
      sum(numbers: number[]) {
        return numbers.reduce((sum, n) => sum + n, 0);
      }
      @MessagePattern('fails')
      fails() {
        throw new Error(this.word);
      }
      @EventPattern('added')
      onAdded(@Payload() what: any, @Ctx() context: any) {
        told.add(`${this.word} ${what} ${context.getPattern()}`);
      }
    }
    const options = { driver: driver(), ...fresh() };
    const app = await instrumented({
      imports: [
        DiscoBusModule.forRoot(options),
        ClientsModule.registerAsync([
          {
            name: 'CLIENT',
            inject: [DiscoBusService],
            useFactory: (bus: DiscoBusService) => ({ customClass: DiscoBusClient, options: { bus } }),
          },
        ]),
      ],
      controllers: [Sums],
    });
    app.connectMicroservice({ strategy: app.get(DiscoBusServer) });
    await app.startAllMicroservices();
    await app.init();
    const client = app.get<ClientProxy>('CLIENT');
    expect(await firstValueFrom(client.send('sum', [1, 2, 3]))).toBe(6);
    await expect(firstValueFrom(client.send('fails', {}))).rejects.toMatchObject({ status: 'error' });
    await firstValueFrom(client.emit('added', 'three'), { defaultValue: undefined });
    await told.has(1);
    expect(told.values).toEqual(['sum three added']);
  });

  it('locks with @WithLock, on providers made by Nest and on ready-made ones', async () => {
    class Till {
      private readonly name = 'till';
      @WithLock('till:{0}')
      open(_id: string) {
        return { name: this.name, keys: currentLock()?.keys, again: this.close() };
      }
      close() {
        return `${this.name} closed`;
      }
    }
    const app = await instrumented({
      imports: [DiscoBusModule.forRoot({ driver: driver(), ...fresh() })],
      providers: [Till, { provide: 'READY', useValue: new Till() }],
    });
    await app.init();
    for (const till of [app.get(Till), app.get<Till>('READY')]) {
      // The lock makes a promise of it.
      expect(await (till.open('7') as unknown)).toEqual({
        name: 'till',
        keys: ['till:7'],
        again: 'till closed',
      });
    }
    const { locks } = app.get(DiscoBusService);
    await using held = await locks.acquire('till:8');
    expect(held.isValid()).toBe(true);
    expect(await locks.tryAcquire('till:8')).toBeNull();
  });

  it('asks the guards of a handler, which find its metadata', async () => {
    const told = new Collector<string>();
    @Injectable()
    class Allowed implements CanActivate {
      constructor(private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext) {
        const role = this.reflector.get('role', context.getHandler());
        told.add(`asked for ${role} of ${context.getClass().name}`);
        return role !== 'nobody';
      }
    }
    @Injectable()
    class Orders {
      private readonly word = 'handled';
      @DiscoSubscribe('open')
      @UseGuards(Allowed)
      @SetMetadata('role', 'clerk')
      onOpen(@DiscoPayload() what: string, @DiscoContext() { topic }: DiscoMessageContext) {
        return `${this.word} ${what} of ${topic}`;
      }
      @DiscoSubscribe('shut')
      @UseGuards(Allowed)
      @SetMetadata('role', 'nobody')
      onShut() {
        told.add('never');
      }
    }
    const app = await instrumented({
      imports: [DiscoBusModule.forRoot({ driver: driver(), ...fresh() })],
      providers: [Orders, Allowed],
    });
    await app.init();
    const bus = app.get(DiscoBusService);
    expect(await bus.request('open', 'one')).toBe('handled one of open');
    await expect(bus.request('shut', 'two')).rejects.toMatchObject({ code: 'DISCO_REMOTE' });
    expect(told.values).toEqual(['asked for clerk of Orders', 'asked for nobody of Orders']);
  });
});
