import { Redis } from 'ioredis';
import {
  ClosedError,
  ConfigurationError,
  DiscoBusModule,
  DiscoBusService,
  type DiscoDriver,
} from 'nestjs-disco-bus';
import type { LockStore } from 'nestjs-disco-bus/driver';
import { memoryDriver } from 'nestjs-disco-bus/memory';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { ManualClock } from 'nestjs-disco-bus/testing';
import { freePort, RedisServer } from '../support/redis-server.js';
import { closeApps, gate, startApp, startContext } from './support.js';

afterEach(closeApps);

const busOf = async (options: object) =>
  (await startApp({ imports: [DiscoBusModule.forRoot(options)] })).get(DiscoBusService);

describe('the locks of a bus', () => {
  it('exclude those of other buses on the same broker, and have a typed error before and after', async () => {
    const app = await startContext({ imports: [DiscoBusModule.forRoot({ url: 'memory:locks-shared' })] });
    const bus = app.get(DiscoBusService);
    const other = await busOf({ url: 'memory:locks-shared' });
    const lock = await bus.locks.acquire('report');
    expect(lock.fencingToken).toBeGreaterThan(0n);
    expect(await other.locks.tryAcquire('report')).toBeNull();
    await lock.release();
    expect(await other.locks.tryAcquire('report')).not.toBeNull();
    await app.close();
    await expect(bus.locks.acquire('report')).rejects.toBeInstanceOf(ClosedError);
    await expect(bus.locks.tryAcquire('report')).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
  });

  it('are not connected before the bus is started', async () => {
    const { Test } = await import('@nestjs/testing');
    const app = await Test.createTestingModule({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })] })
      .setLogger(false as never)
      .compile();
    const bus = app.get(DiscoBusService);
    await expect(bus.locks.acquire('report', { wait: 0 })).rejects.toMatchObject({
      code: 'DISCO_NOT_CONNECTED',
    });
    await bus.start();
    await (await bus.locks.acquire('report')).release();
    await app.close();
  });

  it('can be taken away by an operator: that is in the log and in the audit', async () => {
    const lines: string[] = [];
    const logger = { log() {}, warn: (line: string) => void lines.push(line), error() {} };
    const bus = await busOf({ url: 'memory:', service: 'reports', logger });
    const lock = await bus.locks.acquire('report', { autoExtend: true });
    const { holders } = await bus.locks.inspect('report');
    expect(holders).toMatchObject([{ owner: { service: 'reports', pid: process.pid } }]);
    expect(await bus.locks.forceRelease('report', { by: 'ada' })).toBe(1);
    await Promise.resolve();
    expect(lock.signal.aborted).toBe(true);
    expect(await bus.admin.audited()).toMatchObject([
      { by: 'ada', action: 'force release', lock: 'report', messages: 1 },
    ]);
    expect(lines).toContain('the lock "report": force release by "ada", 1 holders');
  });

  it('go by the defaults of the module, and its clock', async () => {
    const clock = new ManualClock();
    const bus = await busOf({ driver: memoryDriver({ clock }), clock, lock: { ttl: '2s', wait: 0 } });
    const lock = await bus.locks.acquire('report');
    expect(lock.claim.ttlMs).toBe(2_000);
    await expect(bus.locks.acquire('report')).rejects.toMatchObject({ code: 'DISCO_LOCK_NOT_ACQUIRED' });
    await clock.advance(2_000);
    expect(lock.isValid()).toBe(false);
    expect(await bus.locks.tryAcquire('report')).not.toBeNull();
  });

  it('have a prefix of their own, if told so', async () => {
    const first = await busOf({ url: 'memory:locks-prefix', lock: { prefix: 'a' } });
    const second = await busOf({ url: 'memory:locks-prefix', prefix: 'a' });
    const third = await busOf({ url: 'memory:locks-prefix' });
    expect(await first.locks.tryAcquire('report')).not.toBeNull();
    expect(await second.locks.tryAcquire('report')).toBeNull();
    expect(await third.locks.tryAcquire('report')).not.toBeNull();
  });

  it('live in a store of your own, which ends with the bus', async () => {
    const store = memoryDriver().lockStore();
    const bus = await busOf({ url: 'memory:', lock: { store } });
    const lock = await bus.locks.acquire('report');
    expect(await store.peek('report')).toMatchObject({ holders: 1, fencingToken: lock.fencingToken });
    await bus.stop();
    await expect(store.peek('report')).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
  });

  it('leave nothing behind of a claim that was given up before there was a connection', async () => {
    const connecting = gate();
    const store = memoryDriver().lockStore();
    const { connect } = store;
    store.connect = async () => {
      await connecting.opened;
      return connect.call(store);
    };
    const bus = await busOf({ url: 'memory:', lock: { store } });
    await expect(bus.locks.acquire('report', { wait: 20 })).rejects.toMatchObject({
      code: 'DISCO_LOCK_UNAVAILABLE',
    });
    const granted = jest.spyOn(store, 'acquire');
    connecting.open();
    await (await bus.locks.acquire('other')).release();
    expect(granted).toHaveBeenCalledTimes(2); // the withdrawn claim was made after all
    expect(await store.peek('report')).toMatchObject({ holders: 0, waiting: 0 });
  });

  it('are refused with a reason where the driver has none', async () => {
    const memory = memoryDriver();
    const driver = new Proxy<DiscoDriver>(memory, {
      get: (target, name) => {
        if (name === 'lockStore') return undefined;
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const bus = await busOf({ driver });
    await expect(bus.locks.acquire('report')).rejects.toThrow(/"memory" offers no locks/);
  });

  it('take no malformed settings', () => {
    const malformed = [
      { ttl: 99 },
      { ttl: 2 ** 31 },
      { ttl: 1.5 },
      { wait: -1 },
      { wait: 'soon' },
      { prefix: ':' },
      { prefix: 'a b' },
      { store: {} as LockStore },
      { store: memoryDriver().lockStore(), prefix: 'a' },
      'yes',
    ];
    for (const lock of malformed) {
      expect(() => DiscoBusModule.forRoot({ url: 'memory:', lock: lock as object })).toThrow(
        ConfigurationError,
      );
    }
  });

  it('stay taken when the bus stops, and tell their work', async () => {
    const bus = await busOf({ url: 'memory:locks-stop' });
    const other = await busOf({ url: 'memory:locks-stop' });
    const lock = await bus.locks.acquire('report', { autoExtend: true });
    const { signal } = lock;
    await bus.stop();
    expect(signal.aborted).toBe(true);
    expect(lock.isValid()).toBe(false);
    expect(await other.locks.tryAcquire('report')).toBeNull();
  });

  it('end the waiting of others when the bus stops', async () => {
    const bus = await busOf({ url: 'memory:' });
    await bus.locks.acquire('report');
    const waiting = bus.locks.acquire('report');
    await bus.stop();
    await expect(waiting).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
  });

  it('let dead letters be looked at beside them', async () => {
    const bus = await busOf({ url: 'memory:', service: 'billing', defaults: { delivery: 'at-least-once' } });
    await bus.subscribe('orders', () => undefined);
    const letters = bus.deadLetters('orders');
    expect(letters).toMatchObject({ topic: 'orders', group: 'billing' });
    expect(await letters.count()).toBe(0);
    expect(() => bus.deadLetters('no topic')).toThrow(/topic/);
  });
});

describe('the calls of the Go library', () => {
  it('take, extend and release a lock by its key', async () => {
    const clock = new ManualClock();
    const driver = () => memoryDriver({ broker });
    const { broker } = memoryDriver({ clock });
    const bus = await busOf({ driver: driver(), clock });
    const other = await busOf({ driver: driver(), clock });
    expect(await bus.acquireLock('job', '1s')).toBe(true);
    expect(await bus.acquireLock('job')).toBe(false);
    expect(await other.acquireLock('job')).toBe(false);
    expect(await other.releaseLock('job')).toBe(false);
    expect(await other.expire('job', '1s')).toBe(false);
    await clock.advance(900);
    expect(await bus.expire('job', '1s')).toBe(true);
    await clock.advance(900);
    expect(await other.acquireLock('job')).toBe(false);
    expect(await bus.releaseLock('job')).toBe(true);
    expect(await bus.releaseLock('job')).toBe(false);
    expect(await other.acquireLock('job')).toBe(true);
  });

  it('know a lock that ran out as lost, and never release the next holder', async () => {
    const clock = new ManualClock();
    const { broker } = memoryDriver({ clock });
    const bus = await busOf({ driver: memoryDriver({ broker }), clock });
    const other = await busOf({ driver: memoryDriver({ broker }), clock });
    expect(await bus.acquireLock('job', 100)).toBe(true);
    await clock.advance(100);
    expect(await other.acquireLock('job')).toBe(true);
    expect(await bus.expire('job', '1s')).toBe(false);
    expect(await bus.releaseLock('job')).toBe(false);
    expect(await other.releaseLock('job')).toBe(true);
  });
});

describe('on Redis', () => {
  it('opens a connection for locks when the first one is asked for, and none stays', async () => {
    const server = await RedisServer.start();
    const admin = new Redis(server.url);
    try {
      const app = await startContext({ imports: [DiscoBusModule.forRoot({ url: server.url })] });
      const bus = app.get(DiscoBusService);
      const lockConnections = async () =>
        ((await admin.client('LIST')) as string).split('\n').filter((line) => /name=\S*locks/.test(line))
          .length;
      expect(await lockConnections()).toBe(0);
      const locks = await Promise.all(['a', 'b', 'c'].map((key) => bus.locks.acquire(key, { wait: 0 })));
      expect(await lockConnections()).toBe(1);
      expect(await admin.exists('disco:lock:{a}')).toBe(1);
      await Promise.all(locks.map((lock) => lock.release()));
      expect(await admin.exists('disco:lock:{a}')).toBe(0);
      await app.close();
      expect(await lockConnections()).toBe(0);
    } finally {
      admin.disconnect();
      await server.stop();
    }
  });

  it('waits for a Redis that is down, for as long as the caller waits', async () => {
    const port = await freePort();
    const driver = redisDriver({ port, connectTimeout: 200 });
    const bus = await busOf({ driver, connection: { wait: false } });
    await expect(bus.locks.acquire('report', { wait: 300 })).rejects.toMatchObject({
      code: 'DISCO_LOCK_UNAVAILABLE',
    });
    const waiting = bus.locks.acquire('report', { wait: '20s' });
    const server = await RedisServer.startOn(port);
    try {
      await (await waiting).release();
      await bus.stop();
    } finally {
      await server.stop();
    }
  });
});
