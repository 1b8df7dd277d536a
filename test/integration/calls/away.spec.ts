import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { freePort, RedisServer } from '../../support/redis-server.js';

const silent = { log() {}, warn() {}, error() {} };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function busOn(port: number, bufferLimit?: { messages: number }): DiscoBus {
  const driver = redisDriver({ port, bufferLimit, heartbeat: '300ms' });
  const bus = new DiscoBus({ driver, logger: silent, connection: { wait: false }, shutdownTimeout: '1s' });
  ends.push(() => bus.stop());
  return bus;
}

async function serverOn(port: number): Promise<RedisServer> {
  const server = await RedisServer.startOn(port);
  ends.push(() => server.stop());
  return server;
}

function told(bus: DiscoBus, type: string): Promise<void> {
  return new Promise((resolve) => bus.onStatus((status) => status.type === type && resolve()));
}

const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
const code = (expected: string) => expect.objectContaining({ code: `DISCO_${expected}` });

describe('before the first connection', () => {
  it('what waits is published in its order when it comes, and nothing of what was refused', async () => {
    const port = await freePort();
    const bus = busOn(port);
    await bus.start();
    const options = { delivery: 'at-least-once', id: 'x' } as const;
    const publish = (n: number, more = {}) => bus.publish('told', n, { ...options, id: `m${n}`, ...more });
    const refused = publish(0, { timeout: 50 });
    const withdrawn = publish(1, { signal: AbortSignal.timeout(50) });
    await expect(refused).rejects.toEqual(code('PUBLISH_TIMEOUT'));
    await expect(withdrawn).rejects.toEqual(code('ABORTED'));
    const waiting = [publish(2), publish(3), publish(4, { ttl: '1h' }), publish(5, { delay: 1 })];
    await serverOn(port);
    await Promise.all(waiting);
    const got: number[] = [];
    await new Promise<void>((resolve) => {
      const take = (n: number) => got.push(n) === 4 && resolve();
      void bus.subscribe('told', take, { delivery: 'at-least-once', concurrency: 1 });
    });
    expect(got.slice(0, 3)).toEqual([2, 3, 4]);
    expect([...got].sort()).toEqual([2, 3, 4, 5]);
  });

  it('no more may wait than the driver allows', async () => {
    const bus = busOn(await freePort(), { messages: 2 });
    await bus.start();
    const publish = (topic: string) => bus.publish(topic, 1, { delivery: 'at-most-once', timeout: 300 });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map(publish));
    expect(outcomes.map((each) => each.status === 'rejected' && each.reason.code)).toEqual([
      'DISCO_PUBLISH_TIMEOUT',
      'DISCO_PUBLISH_TIMEOUT',
      'DISCO_BACKPRESSURE',
    ]);
  });

  it('a declared subscription waits as long as it takes', async () => {
    const port = await freePort();
    const bus = busOn(port);
    await bus.start();
    const once = { delivery: 'at-most-once' } as const;
    const live = bus.declare('told', once).open(() => {});
    await expect(bus.publish('told', 1, { ...once, timeout: 50 })).rejects.toEqual(code('PUBLISH_TIMEOUT'));
    await serverOn(port);
    await live;
    expect(await bus.publish('told', 1, once)).toMatchObject({ receivers: 1 });
  });
});

describe('while replies cannot be received', () => {
  /** A bus whose listening connection alone leads through `proxy`. */
  function listeningThrough(proxy: FaultProxy, port: number): DiscoBus {
    const driver = redisDriver({ port, reader: { port: proxy.port }, reconnect: { delay: 20, max: 50 } });
    const bus = new DiscoBus({ driver, logger: silent });
    ends.push(() => bus.stop());
    return bus;
  }

  it('requests wait for the inbox within their own time, and are answered when it is there again', async () => {
    const server = await serverOn(await freePort());
    const proxy = await FaultProxy.start(server.port);
    ends.push(() => proxy.stop());
    const [asking, answering] = [listeningThrough(proxy, server.port), busOn(server.port)];
    await Promise.all([asking.start(), answering.start()]);
    const handled: number[] = [];
    const answer = (n: number) => {
      handled.push(n);
      return n * 2;
    };
    await answering.subscribe('asked', answer, { delivery: 'at-most-once' });
    await answering.subscribe('asked.stored', answer, { delivery: 'at-least-once' });
    const ask = (n: number, timeout = 15_000) =>
      asking.request('asked', n, { delivery: 'at-most-once', timeout });
    expect(await ask(1)).toBe(2);
    const lost = told(asking, 'disconnected');
    proxy.refuse();
    proxy.cut();
    await lost;
    const waiting = [ask(2), asking.request('asked.stored', 3, { delivery: 'at-least-once' })];
    await expect(ask(4, 200)).rejects.toEqual(code('REQUEST_TIMEOUT'));
    expect(handled).toEqual([1]);
    proxy.pass();
    expect(await Promise.all(waiting)).toEqual([4, 6]);
    expect([...handled].sort()).toEqual([1, 2, 3]);
  });
});

describe('closing while it connects leaves nothing', () => {
  const options = async () => ({ url: `redis://127.0.0.1:${await freePort()}`, logger: silent });

  it('a client', async () => {
    const before = sockets();
    const client = new DiscoBusClient(await options());
    const connecting = client.connect();
    await Promise.all([client.close(), expect(connecting).rejects.toEqual(code('CLOSED'))]);
    expect(sockets()).toBe(before);
  });

  it('a server', async () => {
    const before = sockets();
    const server = new DiscoBusServer(await options());
    const listened = new Promise<unknown>((resolve) => server.listen(resolve));
    await server.close();
    expect(await listened).toEqual(code('CLOSED'));
    expect(sockets()).toBe(before);
  });

  it('a server on a shared bus, which never listens then', async () => {
    const port = await freePort();
    const bus = busOn(port);
    await bus.start();
    const server = new DiscoBusServer({ bus });
    server.addHandler('asked', async () => 1);
    const listened = new Promise<unknown>((resolve) => server.listen(resolve));
    await server.close();
    const { url } = await serverOn(port);
    expect(await listened).toEqual(code('CLOSED'));
    const admin = new Redis(url);
    ends.push(async () => admin.disconnect());
    const channels = (await admin.pubsub('CHANNELS', '*asked*')) as string[];
    expect(channels).toEqual([]);
  });
});
