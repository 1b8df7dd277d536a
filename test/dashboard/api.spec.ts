import { type DiscoBusService } from 'nestjs-disco-bus';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { closeAll, start } from './support.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(closeAll);
afterAll(() => redis.stop());

/** Two dead letters, then a paused group with two messages that wait, and one that is delayed. */
async function fill(bus: DiscoBusService): Promise<void> {
  const fails = () => {
    throw new Error('db down');
  };
  await bus.subscribe('orders', fails, { group: 'billing', retry: { attempts: 1 } });
  await bus.publishBatch('orders', [{ card: '4111' }, { card: '4222' }]);
  await until('both are given up', async () => (await bus.deadLetters('orders', 'billing').count()) > 0);
  await until('all is handled', async () => {
    const group = await bus.inspect.group('orders', 'billing');
    return group?.deadLetters.messages === 2;
  });
  await bus.admin.pauseGroup('orders', 'billing');
  await bus.publish('orders', { card: '4333' }, { headers: { token: 'secret' } });
  await bus.publish('orders', { card: '4444' });
  await bus.publish('orders', { card: '4555' }, { delay: '1h' });
}

const drivers = {
  memory: () => ({}),
  redis: () => ({ driver: redisDriver({ url: redis.url }) }),
};

describe.each(Object.entries(drivers))('the API over %s', (_, driver) => {
  it('shows what there is, and does what it is asked to', async () => {
    const { bus, get, act } = await start({
      bus: driver(),
      dashboard: { readOnly: false, payloads: 'shown' },
    });
    await fill(bus);
    const lock = await bus.locks.acquire('stock', { ttl: '1m' });

    const { body: overview, headers } = await get('api/overview');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(overview).toMatchObject({ bus: 'default', connected: true, health: { status: 'up' } });
    const [orders] = overview.topics;
    expect(orders).toMatchObject({ topic: 'orders', delayed: 1 });
    const billing = { group: 'billing', deadLetters: 2, members: 1, paused: true };
    expect(orders.groups).toEqual([expect.objectContaining(billing)]);
    expect(orders.groups[0].oldestMs).toBeGreaterThanOrEqual(0);
    expect(overview.totals).toMatchObject({ topics: 1, groups: 1, deadLetters: 2, delayed: 1 });
    expect((await get('api/overview?match=zzz')).body.topics).toEqual([]);
    expect((await get('api/overview?match=rder&limit=1')).body).toMatchObject({ next: 'orders' });

    const { body: topic } = await get('api/topic?topic=orders');
    expect(topic.groups[0].members).toEqual([expect.objectContaining({ service: 'shop', pid: process.pid })]);
    const { body: why } = await get('api/explain?topic=orders&group=billing');
    expect(why.reasons.map(({ reason }: any) => reason)).toEqual(
      expect.arrayContaining(['paused', 'dead-letters']),
    );

    const { body: messages } = await get('api/messages?topic=orders&limit=1000');
    expect(messages.messages.map(({ payload }: any) => payload)).toEqual(
      expect.arrayContaining(['{"card":"4333"}', '{"card":"4444"}']),
    );
    const { body: first } = await get('api/messages?topic=orders&limit=1');
    const { body: second } = await get(`api/messages?topic=orders&limit=1&after=${first.next}`);
    expect(second.messages[0].position).not.toBe(first.messages[0].position);

    const { body: dead } = await get('api/dead-letters?topic=orders&group=billing&reason=attempts');
    expect(dead.letters[0]).toMatchObject({ reason: 'attempts', error: { message: 'db down' } });
    const { position } = dead.letters[0];
    const { body: letter } = await get(`api/dead-letter?topic=orders&group=billing&position=${position}`);
    expect(letter.message).toMatchObject({ readable: true });
    const { body: later } = await get('api/delayed?topic=orders');
    expect(later).toMatchObject({ count: 1, delayed: [{ message: { payload: '{"card":"4555"}' } }] });
    const { body: locks } = await get('api/locks');
    expect(locks.locks).toEqual([expect.objectContaining({ key: 'stock', mode: 'exclusive' })]);
    expect((await get('api/lock?key=stock')).body.fencingToken).toMatch(/^\d+$/);
    expect((await get('api/instances')).body).toEqual({ instances: [] });

    const group = { topic: 'orders', group: 'billing' };
    expect((await act('limit', { ...group, limit: 3 })).body).toMatchObject({ changed: true });
    const { body: refused } = await act('purge', group);
    expect(refused).toMatchObject({ statusCode: 409, code: 'NOT_CONFIRMED' });
    expect(refused.count).toBeGreaterThan(0);
    expect((await act('purge', { ...group, confirm: 0 })).status).toBe(409);
    expect((await act('purge', { ...group, confirm: 2 })).body.purged).toBeGreaterThan(0);
    expect((await act('remove', { ...group, position })).body).toEqual({ removed: 1 });
    expect((await act('remove', { ...group, position })).status).toBe(404);
    const left = await bus.deadLetters('orders', 'billing').count();
    const all = await act('replay-all', { ...group, reason: 'attempts', confirm: left });
    expect(all.body).toMatchObject({ replayed: left, stopped: false });
    expect((await act('seek', { ...group, to: 'end', skip: true, confirm: 10 })).status).toBe(200);
    expect((await act('resume', group)).body).toMatchObject({ changed: true });
    expect((await act('release-lock', { key: 'stock' })).status).toBe(409);
    expect((await act('release-lock', { key: 'stock', confirm: 1 })).body).toEqual({ released: 1 });
    const { body: audit } = await get('api/audit');
    const deeds = audit.deeds.map(({ by, action }: any) => `${by}: ${action}`);
    expect(deeds).toEqual(
      expect.arrayContaining(['dashboard: purge', 'dashboard: resume', 'dashboard: force release']),
    );
    await expect(lock.release()).rejects.toThrow('no longer held');
  });
});

describe('the API', () => {
  it.each<[path: string, status: number, told: string]>([
    ['api/topic?topic=not%20one', 400, '"not one"'],
    ['api/topic', 400, '"topic" is missing'],
    ['api/topic?topic=nowhere', 404, '"nowhere"'],
    ['api/explain?topic=orders&group=nobody', 404, '"nobody"'],
    ['api/overview?limit=0', 400, '"limit" must be a whole number from 1 to 1000, not "0"'],
    ['api/overview?limit=ten', 400, 'not "ten"'],
    ['api/overview?bus=other', 404, 'There is no bus "other"; there are "default"'],
    ['api/overview?lmit=5', 400, '"lmit"'],
    ['api/messages?topic=orders&after=x', 400, '"after" must be a position'],
    ['api/dead-letters?topic=orders&group=nobody', 404, '"nobody"'],
    ['api/dead-letter?topic=orders&group=g&position=1-1', 404, 'no dead letter 1-1'],
    ['api/nothing', 404, 'There is no api/nothing; there are api/overview'],
  ])('%s is a %i that says %s', async (path, status, told) => {
    const { bus, get } = await start();
    await bus.subscribe('orders', () => {}, { group: 'g' });
    const { body } = await get(path);
    expect(body).toMatchObject({ statusCode: status, message: expect.stringContaining(told) });
  });

  it('hides payloads and headers, or shows their shape alone', async () => {
    const seen = async (payloads?: 'hidden' | 'masked') => {
      const { bus, get } = await start({ dashboard: { payloads } });
      await bus.publish('orders', { card: '4111', cents: 5 }, { headers: { token: 'secret' } });
      const { text, body } = await get('api/messages?topic=orders');
      expect(text).not.toMatch(/4111|secret/);
      return body.messages[0];
    };
    expect(await seen()).not.toHaveProperty('payload');
    expect(JSON.parse((await seen('masked')).payload)).toEqual({ card: 'text of 4', cents: 'number' });
  });

  it('says within its time that a bus is down, and that it is back', async () => {
    const server = await RedisServer.start();
    const { get, bus } = await start({
      bus: { driver: redisDriver({ url: server.url }), shutdownTimeout: 500 },
    });
    await bus.publish('orders', 1);
    await server.stop();
    await until('it is seen', () => !bus.connected);
    const { body } = await get('api/overview');
    expect(body).toMatchObject({ statusCode: 503, message: expect.stringContaining('"default"') });
    expect((await get('api/settings')).body.buses).toMatchObject([{ connected: false }]);
    const again = await RedisServer.startOn(server.port);
    try {
      await until('it is back', async () => (await get('api/overview')).status === 200);
    } finally {
      await closeAll();
      await again.stop();
    }
  });
});
