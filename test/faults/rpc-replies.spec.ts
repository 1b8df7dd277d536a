import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { lastValueFrom } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { random128 } from '../../lib/bus/requests/request-headers.js';
import { transportAccess } from '../../lib/bus/transport-access.js';
import { type RedisDriver, redisDriver } from '../../lib/drivers/redis/index.js';
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

  it('fail at once on a standalone server', async () => {
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
    report({ engine: 'standalone', sent: asked, faults: asked, worstRecoveryMs: worst, pass });
    await client.close();
    await redis.stop();
    expect([...codes]).toEqual(['DISCO_NO_RESPONDERS']);
    expect(worst).toBeLessThanOrEqual(100);
  }, 60_000);

  it('time out on a cluster, where nobody can tell', async () => {
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
    report({ engine: 'cluster', sent: asked, faults: asked, worstRecoveryMs: worst, pass });
    await client.close();
    await cluster.stop();
    expect(timedOut).toBe(asked);
    expect(worst).toBeLessThanOrEqual(timeoutMs + 250);
  }, 60_000);
});

/** A client that has asked, a server that holds its answer back, and somebody who has seen the request. */
class Siege {
  private readonly asked = gate();
  private readonly answer = gate();
  private readonly attacker: RedisDriver;
  /** Of the first request. */
  inbox = '';
  id = '';

  private constructor(
    private readonly redis: RedisServer,
    readonly server: DiscoBusServer,
    readonly client: DiscoBusClient,
  ) {
    this.attacker = redisDriver({ url: redis.url });
    server.addHandler('wait', async (_data: unknown, context: DiscoBusContext) => {
      this.inbox ||= context.getHeaders()['x-reply-to'];
      this.id ||= context.getId();
      this.asked.open();
      await this.answer.opened;
      return 'real';
    });
  }

  static async begin(): Promise<Siege> {
    const redis = await RedisServer.start();
    const options = { url: redis.url, logger: silent };
    const siege = new Siege(redis, new DiscoBusServer(options), new DiscoBusClient(options));
    await new Promise<void>((resolve, reject) => siege.server.listen((e) => (e ? reject(e) : resolve())));
    await Promise.all([siege.client.connect(), siege.attacker.connect()]);
    return siege;
  }

  /** Resolves when the server has the request, with what the client will be told. */
  async ask(): Promise<{ settled: Promise<unknown> }> {
    const settled = lastValueFrom(this.client.send('wait', 1));
    await this.asked.opened;
    return { settled };
  }

  release(): void {
    this.answer.open();
  }

  /** Puts a message of the attacker's own on the wire. */
  forge(topic: string, id: string, headers: Record<string, string>): Promise<unknown> {
    const plain = { codec: 0, compression: 0, body: '"forged"' };
    const frame = encodeFrame({ id, timestamp: Date.now(), headers, ...plain });
    return this.attacker.publish(topic, frame, once());
  }

  forgeReply(id: string, kind: string): Promise<unknown> {
    return this.forge(`reply:${this.inbox}`, id, { 'x-reply': kind });
  }

  async end(): Promise<void> {
    await Promise.all([this.attacker.close(), this.client.close()]);
    await this.server.close();
    await this.redis.stop();
  }
}

describe('Replies that nobody waits for', () => {
  it('late, unknown, double and forged ones are dropped and counted', async () => {
    const rounds = Math.ceil(scaled(100_000) / (4 * AT_ONCE));
    const siege = await Siege.begin();
    let strays = 0;
    siege.client.on('dropped', ({ reason }) => {
      if (reason === 'stray') strays++;
    });
    const { settled } = await siege.ask();
    siege.release();
    await settled;
    const near = (n: number) => siege.id.slice(0, -4) + n.toString(16).padStart(4, '0');
    let before = 0;
    for (let round = 0; round <= rounds; round++) {
      // The first round compiles what all run through.
      if (round === 1) before = heapUsed();
      const forging = Array.from({ length: AT_ONCE }, (_, n) => [
        siege.forgeReply(siege.id, 'last'),
        siege.forgeReply(random128(), 'last'),
        siege.forgeReply(near(n), 'value'),
        siege.forgeReply('not-an-id', 'everything'),
      ]);
      await Promise.all(forging.flat());
    }
    const forged = (rounds + 1) * 4 * AT_ONCE;
    const real = await lastValueFrom(siege.client.send('wait', 2));
    const grown = heapUsed() - before;
    const pending = transportAccess(siege.client.unwrap<DiscoBus>()).pendingRequests;
    const pass = strays === forged && real === 'real' && pending === 0 && grown <= 5 * 1024 * 1024;
    report({ sent: forged, faults: forged, dropped: strays, grownBytes: grown, pass });
    await siege.end();
    expect({ strays, real, pending }).toEqual({ strays: forged, real: 'real', pending: 0 });
    expect(grown).toBeLessThanOrEqual(5 * 1024 * 1024);
  }, 120_000);

  it('none forged for a request that waits is accepted, and no reply goes where nobody asked', async () => {
    const forgeries = scaled(100_000);
    const siege = await Siege.begin();
    let refused = 0;
    siege.server.on('dropped', ({ reason }) => {
      if (reason === 'refused') refused++;
    });
    const { settled } = await siege.ask();
    const guess = (n: number) => (BigInt(`0x${siege.id}`) ^ BigInt(n + 1)).toString(16).padStart(32, '0');
    for (let n = 0; n < forgeries; n += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => siege.forgeReply(guess(n + i), 'last')));
    }
    // Requests whose replies are to go to a topic, a dead letter stream, a lock, another name: none is handled.
    const { inbox } = siege;
    const elsewhere = [
      'orders',
      '{orders}:dead:g',
      'lock:{key}',
      `reply:${inbox}`,
      'A'.repeat(32),
      `${inbox}0`,
      '',
    ];
    for (const replyTo of elsewhere) {
      const headers = { 'x-reply-to': replyTo, 'x-timeout': '10000' };
      await siege.forge('nest:all.wait', random128(), headers);
    }
    siege.release();
    const real = await settled;
    await lastValueFrom(siege.client.send('wait', 2));
    const pass = real === 'real' && refused === elsewhere.length;
    const sent = forgeries + elsewhere.length;
    report({ sent, faults: sent, refused, pass });
    await siege.end();
    expect({ real, refused }).toEqual({ real: 'real', refused: elsewhere.length });
  }, 120_000);
});

/** What is live on the heap. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
