import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { lastValueFrom } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { random128 } from '../../lib/bus/requests/request-headers.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { encodeFrame } from '../../lib/message/frame.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import type { DiscoBusContext } from '../../lib/transport/disco-bus.context.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { gate } from '../nest/support.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { once } from '../support/redis-harness.js';
import { RedisServer } from '../support/redis-server.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };
const AT_ONCE = 1_000;

describe('Requests that nobody answers', () => {
  const settle = async (client: DiscoBusClient): Promise<{ code: unknown; tookMs: number }> => {
    const startedMs = performance.now();
    const error = await lastValueFrom(client.send('nobody', 1)).catch((each) => each);
    return { code: error?.code, tookMs: performance.now() - startedMs };
  };

  it('R3: fail at once on a standalone server', async () => {
    const asked = scaled(100);
    const redis = await RedisServer.start();
    const client = new DiscoBusClient({ url: redis.url, logger: silent });
    await client.connect();
    const codes = new Set<unknown>();
    let worst = 0;
    for (let n = 0; n < asked; n++) {
      const { code, tookMs } = await settle(client);
      codes.add(code);
      worst = Math.max(worst, tookMs);
    }
    const pass = codes.size === 1 && codes.has('DISCO_NO_RESPONDERS') && worst <= 100;
    report({ id: 'R3', engine: 'standalone', sent: asked, faults: asked, worstRecoveryMs: worst, pass });
    await client.close();
    await redis.stop();
    expect([...codes]).toEqual(['DISCO_NO_RESPONDERS']);
    expect(worst).toBeLessThanOrEqual(100);
  }, 60_000);

  it('R3: time out on a cluster, where nobody can tell', async () => {
    const asked = scaled(100, 2);
    const timeoutMs = 200;
    const cluster = await RedisCluster.start();
    const driver = redisDriver({ cluster: { nodes: cluster.addresses } });
    const client = new DiscoBusClient({ driver, timeout: timeoutMs, logger: silent });
    await client.connect();
    const settled = await Promise.all(Array.from({ length: asked }, () => settle(client)));
    const timedOut = settled.filter(({ code }) => code === 'DISCO_REQUEST_TIMEOUT').length;
    const worst = Math.max(...settled.map(({ tookMs }) => tookMs));
    const pass = timedOut === asked && worst <= timeoutMs + 250;
    report({ id: 'R3', engine: 'cluster', sent: asked, faults: asked, worstRecoveryMs: worst, pass });
    await client.close();
    await cluster.stop();
    expect(timedOut).toBe(asked);
    expect(worst).toBeLessThanOrEqual(timeoutMs + 250);
  }, 60_000);
});

describe('Replies that nobody waits for', () => {
  it('R4: late, unknown, double and forged ones are dropped and counted', async () => {
    const rounds = Math.ceil(scaled(100_000) / (4 * AT_ONCE));
    const redis = await RedisServer.start();
    const server = new DiscoBusServer({ url: redis.url, logger: silent });
    const asked = gate();
    const answer = gate();
    let inbox = '';
    const ids: string[] = [];
    server.addHandler('wait', async (_data: unknown, context: DiscoBusContext) => {
      inbox = context.getHeaders()['x-reply-to'];
      ids.push(context.getId());
      asked.open();
      await answer.opened;
      return 'real';
    });
    await new Promise<void>((resolve, reject) => server.listen((e) => (e ? reject(e) : resolve())));
    const client = new DiscoBusClient({ url: redis.url, logger: silent });
    await client.connect();
    let strays = 0;
    client.on('dropped', ({ reason }) => {
      if (reason === 'stray') strays++;
    });
    const early = lastValueFrom(client.send('wait', 1));
    await asked.opened;
    answer.open();
    await early;
    const attacker = redisDriver({ url: redis.url });
    await attacker.connect();
    const forge = (id: string, kind: string) => {
      const headers = { 'x-reply': kind };
      const frame = encodeFrame({
        id,
        timestamp: Date.now(),
        headers,
        codec: 0,
        compression: 0,
        body: '"forged"',
      });
      return attacker.publish(`reply:${inbox}`, frame, once());
    };
    const near = (id: string, n: number) => id.slice(0, -4) + n.toString(16).padStart(4, '0');
    const before = heapUsed();
    for (let round = 0; round < rounds; round++) {
      const forging = Array.from({ length: AT_ONCE }, (_, n) => [
        forge(ids[0], 'last'),
        forge(random128(), 'last'),
        forge(near(ids[0], n), 'value'),
        forge('not-an-id', 'everything'),
      ]).flat();
      await Promise.all(forging);
    }
    const forged = rounds * 4 * AT_ONCE;
    const real = await lastValueFrom(client.send('wait', 2));
    const grown = heapUsed() - before;
    const pending = client.unwrap<DiscoBus>().pendingRequests;
    const pass = strays === forged && real === 'real' && pending === 0 && grown <= 5 * 1024 * 1024;
    report({ id: 'R4', sent: forged, faults: forged, dropped: strays, grownBytes: grown, pass });
    await attacker.close();
    await client.close();
    await server.close();
    await redis.stop();
    expect({ strays, real, pending }).toEqual({ strays: forged, real: 'real', pending: 0 });
    expect(grown).toBeLessThanOrEqual(5 * 1024 * 1024);
  }, 120_000);

  it('R6: none of those forged for a request that waits is accepted, and no reply goes where it was not asked for', async () => {
    const forgeries = scaled(100_000);
    const redis = await RedisServer.start();
    const server = new DiscoBusServer({ url: redis.url, logger: silent });
    const asked = gate();
    const answer = gate();
    let inbox = '';
    let id = '';
    server.addHandler('wait', async (_data: unknown, context: DiscoBusContext) => {
      inbox = context.getHeaders()['x-reply-to'];
      id = context.getId();
      asked.open();
      await answer.opened;
      return 'real';
    });
    await new Promise<void>((resolve, reject) => server.listen((e) => (e ? reject(e) : resolve())));
    const client = new DiscoBusClient({ url: redis.url, logger: silent });
    await client.connect();
    const waiting = lastValueFrom(client.send('wait', 1));
    await asked.opened;

    const attacker = redisDriver({ url: redis.url });
    await attacker.connect();
    const frameOf = (frameId: string, headers: Record<string, string>) =>
      encodeFrame({
        id: frameId,
        timestamp: Date.now(),
        headers,
        codec: 0,
        compression: 0,
        body: '"forged"',
      });
    const guess = (n: number) => (BigInt(`0x${id}`) ^ BigInt(n + 1)).toString(16).padStart(32, '0');
    for (let n = 0; n < forgeries; n += AT_ONCE) {
      const batch = Array.from({ length: AT_ONCE }, (_, index) =>
        attacker.publish(`reply:${inbox}`, frameOf(guess(n + index), { 'x-reply': 'last' }), once()),
      );
      await Promise.all(batch);
    }
    // Requests whose replies are to go to a topic, a dead letter stream, a lock, another name: none is handled.
    let refused = 0;
    server.on('dropped', ({ reason }) => {
      if (reason === 'refused') refused++;
    });
    const deputies = [
      'orders',
      '{orders}:dead:g',
      'lock:{key}',
      `reply:${inbox}`,
      inbox.toUpperCase(),
      `${inbox}0`,
      '',
    ];
    for (const replyTo of deputies) {
      const headers = { 'x-reply-to': replyTo, 'x-deadline': String(Date.now() + 10_000) };
      await attacker.publish('nest:all.wait', frameOf(random128(), headers), once());
    }
    answer.open();
    const real = await waiting;
    expect(await lastValueFrom(client.send('wait', 2))).toBe('real');
    const pass = real === 'real' && refused === deputies.length;
    report({
      id: 'R6',
      sent: forgeries + deputies.length,
      faults: forgeries + deputies.length,
      refused,
      pass,
    });
    await attacker.close();
    await client.close();
    await server.close();
    await redis.stop();
    expect({ real, refused }).toEqual({ real: 'real', refused: deputies.length });
  }, 120_000);
});

/** What is live on the heap. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
