import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { transportAccess } from '../../lib/bus/transport-access.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import type { DiscoBusServerOptions } from '../../lib/transport/transport-options.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { silent } from '../transport/support.js';
import { full, report } from './fault-report.js';
import { scaled } from './pubsub-load.js';

const REQUESTS = scaled(10_000);
const AT_ONCE = full ? 512 : 64;
const CUTS = scaled(20);
const TIMEOUT_MS = 3_000;

describe.each<[string, Partial<DiscoBusServerOptions>]>([
  ['one instance', {}],
  ['every instance', { requests: 'every' }],
])('Requests to %s while the links are cut', (name, options) => {
  let redis: RedisServer;
  const proxies: FaultProxy[] = [];
  const servers: DiscoBusServer[] = [];
  let client: DiscoBusClient;
  /** How often each request was handled. */
  const handled = new Map<number, number>();

  const throughProxy = async () => {
    const proxy = await FaultProxy.start(redis.port);
    proxies.push(proxy);
    return { ...options, driver: redisDriver({ port: proxy.port }), logger: silent, prefix: 'cuts' };
  };

  beforeAll(async () => {
    redis = await RedisServer.start();
    for (let instance = 0; instance < (options.requests === 'every' ? 1 : 2); instance++) {
      const server = new DiscoBusServer(await throughProxy());
      server.addHandler('work', async (n: number) => {
        handled.set(n, (handled.get(n) ?? 0) + 1);
        return n;
      });
      servers.push(server);
      await new Promise<void>((resolve, reject) =>
        server.listen((error) => (error ? reject(error) : resolve())),
      );
    }
    client = new DiscoBusClient({ ...(await throughProxy()), timeout: TIMEOUT_MS });
    await client.connect();
  });

  afterAll(async () => {
    await client.close();
    await Promise.all(servers.map((server) => server.close()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await redis.stop();
  });

  it(`each of ${REQUESTS} or more settles exactly once, and none is answered with another’s reply`, async () => {
    const settled = new Map<number, number>();
    const failures = new Map<string, number>();
    let crossed = 0;
    let slowestMs = 0;
    let next = 0;
    const ask = async (n: number) => {
      const startedMs = performance.now();
      const timed = () => {
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      };
      try {
        const answer = await lastValueFrom(client.send<number>('work', n)).finally(timed);
        if (answer !== n) crossed++;
      } catch (error) {
        const code = (error as { code?: string }).code ?? 'none';
        failures.set(code, (failures.get(code) ?? 0) + 1);
        // Nobody is there until the server has subscribed again: what is refused at once must not use up all requests.
        if (code === 'DISCO_NO_RESPONDERS') await delay(20);
      }
      settled.set(n, (settled.get(n) ?? 0) + 1);
    };
    let cutting = true;
    const worker = async () => {
      while (next < REQUESTS || cutting) await ask(next++);
    };
    const cutter = async () => {
      for (let cut = 1; cut <= CUTS; cut++) {
        const dueAt = (cut * REQUESTS) / (CUTS + 1);
        await delay(100);
        while (next < dueAt) await delay(1);
        proxies[cut % proxies.length].cut();
      }
      cutting = false;
    };
    await Promise.all([cutter(), ...Array.from({ length: AT_ONCE }, worker)]);

    const cuts = proxies.reduce((sum, { counts }) => sum + counts.cuts, 0);
    const unknown = failures.get('DISCO_REQUEST_TIMEOUT') ?? 0;
    const once = settled.size === next && [...settled.values()].every((times) => times === 1);
    const pending = transportAccess(client.unwrap<DiscoBus>()).pendingRequests;
    const twice = [...handled.values()].filter((times) => times > 1).length;
    const pass = once && crossed + pending === 0 && slowestMs < TIMEOUT_MS + 250;
    const figures = { faults: cuts, unknown, crossed, pending, duplicated: twice };
    report({ mode: name, sent: next, ...figures, worstRecoveryMs: slowestMs, pass });
    expect(cuts).toBeGreaterThanOrEqual(CUTS);
    expect(once).toBe(true);
    expect(crossed).toBe(0);
    expect(slowestMs).toBeLessThan(TIMEOUT_MS + 250);
    expect(pending).toBe(0);
    expect(twice).toBe(0);
    const allowed = [
      'DISCO_REQUEST_TIMEOUT',
      'DISCO_NO_RESPONDERS',
      'DISCO_NOT_CONNECTED',
      'DISCO_PUBLISH_TIMEOUT',
    ];
    expect(allowed).toEqual(expect.arrayContaining([...failures.keys()]));
    expect(next).toBeGreaterThanOrEqual(REQUESTS);
    const answered = next - [...failures.values()].reduce((sum, count) => sum + count, 0);
    expect(answered).toBeGreaterThan(next / 5);
    expect(unknown).toBeLessThanOrEqual(cuts * AT_ONCE);
  }, 120_000);

  it('none is handled twice when nothing is cut', async () => {
    const back = async (): Promise<unknown> =>
      lastValueFrom(client.send('work', -1)).catch(() => delay(50).then(back));
    await back();
    handled.clear();
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => lastValueFrom(client.send<number>('work', n))),
    );
    expect(answers).toEqual(answers.map((_, n) => n));
    expect([...handled.values()].every((times) => times === 1)).toBe(true);
  }, 30_000);
});
