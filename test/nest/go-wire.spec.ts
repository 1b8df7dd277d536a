import { Controller, Injectable } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { DiscoBusModule, DiscoBusService, DiscoSubscribe, type TopicOptions } from 'nestjs-disco-bus';
import { DiscoBusClient, DiscoBusServer } from 'nestjs-disco-bus/transport';
import { goPayloads } from '../integration/go-wire/fixtures.js';
import { Collector } from '../support/collector.js';
import { RedisServer } from '../support/redis-server.js';
import { closeApps, startApp } from './support.js';

const [{ onRedis, payload }] = goPayloads;
const topics: Record<string, TopicOptions> = { orders: { wire: 'go' }, 'events.*': { wire: 'go' } };
const received = new Collector<unknown>();
let server: RedisServer;
let redis: Redis;

@Injectable()
class Shipping {
  @DiscoSubscribe('orders')
  ship(order: unknown): void {
    received.add(order);
  }
}

@Controller()
class Audit {
  @EventPattern('events.paid')
  paid(@Payload() data: unknown): void {
    received.add(data);
  }
}

beforeAll(async () => {
  server = await RedisServer.start();
  redis = new Redis(server.url);
});
beforeEach(() => received.values.splice(0));
afterEach(closeApps);
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const imports = () => [DiscoBusModule.forRoot({ url: server.url, topics, lock: { prefix: '' } })];

describe('an application that shares its Redis with Go services', () => {
  it('handles their messages, and publishes ones that its own handlers understand as well', async () => {
    const app = await startApp({ imports: imports(), providers: [Shipping] });
    await redis.publish('orders', onRedis);
    await received.has(1);
    await app.get(DiscoBusService).publish('orders', { number: 2 });
    expect(await received.has(2)).toEqual([payload, { number: 2 }]);
  });

  it('excludes their locks, and frees only its own', async () => {
    const bus = (await startApp({ imports: imports() })).get(DiscoBusService);
    await redis.set('report', 'lock', 'PX', 60_000, 'NX');
    expect(await bus.locks.tryAcquire('report')).toBeNull();
    expect(await bus.acquireLock('report')).toBe(false);
    expect(await bus.releaseLock('report')).toBe(false);
    expect(await redis.get('report')).toBe('lock');
    await redis.del('report');
    const lock = await bus.locks.acquire('report');
    expect(await redis.set('report', 'lock', 'PX', 60_000, 'NX')).toBeNull();
    await redis.set('report', 'lock', 'PX', 60_000);
    await expect(lock.release()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  });

  it('takes their events in its microservice, at most once, and emits such events; requests are refused', async () => {
    const module = await Test.createTestingModule({ imports: imports(), controllers: [Audit] }).compile();
    const app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: app.get(DiscoBusServer) });
    await app.startAllMicroservices();
    const client = new DiscoBusClient({ bus: app.get(DiscoBusService) });
    await redis.publish('events.paid', onRedis);
    await received.has(1);
    client.emit('events.paid', { number: 2 });
    expect(await received.has(2)).toEqual([payload, { number: 2 }]);
    const bus = app.get(DiscoBusService);
    await expect(bus.request('orders', 1)).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    await client.close();
    await app.close();
  });
});
