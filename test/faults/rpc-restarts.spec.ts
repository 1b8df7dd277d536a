import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { transportAccess } from '../../lib/bus/transport-access.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { full, report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { ServerJournal, ServerProcess } from './rpc-processes.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };

/** Kills that happen side by side, as a process takes its time to start. */
const LANES = 5;

describe('Requests while the processes of a service end', () => {
  let redis: RedisServer;
  let journal: ServerJournal;
  let servers: ServerProcess[];
  const clients: DiscoBusClient[] = [];
  const start = async (workMs: number, prefix = 'disco') => {
    const server = await ServerProcess.start({ url: redis.url, prefix, workMs }, journal);
    servers.push(server);
    return server;
  };
  const connect = async (timeoutMs: number, prefix = 'disco') => {
    const client = new DiscoBusClient({ url: redis.url, prefix, timeout: timeoutMs, logger: silent });
    clients.push(client);
    await client.connect();
    return client;
  };

  beforeEach(async () => {
    redis = await RedisServer.start();
    journal = new ServerJournal();
    servers = [];
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    await redis.stop();
  });

  it('a server is killed in the middle of a request', async () => {
    const kills = scaled(50);
    const timeoutMs = 1_000;
    const settled: { code: unknown; signal: unknown; tookMs: number }[] = [];
    const killOne = async (client: DiscoBusClient, prefix: string, n: number) => {
      const server = await start(60_000, prefix);
      const begun = journal.told('begun', n);
      const startedMs = performance.now();
      const answer = lastValueFrom(client.send<number>('work', n)).catch((error) => error);
      await begun;
      await server.kill('SIGKILL');
      const { code } = await answer;
      settled.push({ code, signal: server.signal, tookMs: performance.now() - startedMs });
    };
    const lane = async (_: unknown, index: number) => {
      const prefix = `lane${index}`;
      const client = await connect(timeoutMs, prefix);
      for (let n = index; n < kills; n += LANES) await killOne(client, prefix, n);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const killed = settled.filter(({ signal }) => signal === 'SIGKILL').length;
    const unknown = settled.filter(({ code }) => code === 'DISCO_REQUEST_TIMEOUT').length;
    const pending = clients.reduce(
      (sum, each) => sum + transportAccess(each.unwrap<DiscoBus>()).pendingRequests,
      0,
    );
    const slowestMs = Math.max(...settled.map(({ tookMs }) => tookMs));
    const pass = unknown === kills && killed === kills && pending === 0 && slowestMs <= timeoutMs + 250;
    report({ sent: kills, faults: killed, unknown, worstRecoveryMs: slowestMs, pass });
    expect(killed).toBe(kills);
    expect({ unknown, pending }).toEqual({ unknown: kills, pending: 0 });
    expect(slowestMs).toBeLessThanOrEqual(timeoutMs + 250);
  }, 300_000);

  it('rolling restarts under load lose no request and no event', async () => {
    const restarts = full ? 40 : 8;
    const timeoutMs = 5_000;
    const client = await connect(timeoutMs);
    const instances = await Promise.all([start(2), start(2)]);
    const bus = client.unwrap<DiscoBus>();
    let running = true;
    /** The load gives way to a process that starts. */
    let starting = false;
    let asked = 0;
    let emitted = 0;
    let slowestMs = 0;
    const failures: unknown[] = [];
    const receivers: number[] = [];
    const ask = async (n: number) => {
      const startedMs = performance.now();
      const answer = await lastValueFrom(client.send<number>('work', n)).catch((error) => error);
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      if (answer !== n) failures.push(answer);
    };
    const asking = async () => {
      while (running) {
        await ask(asked++);
        if (starting) await delay(20);
      }
    };
    const emitting = async () => {
      while (running) {
        await lastValueFrom(client.emit('happened', emitted++), { defaultValue: undefined });
        await delay(starting ? 20 : 2);
      }
    };
    const noticing = async () => {
      while (running) {
        const receipt = await bus.publish('noticed', receivers.length, { delivery: 'at-most-once' });
        receivers.push(receipt.receivers ?? 0);
        await delay(starting ? 20 : 1);
      }
    };
    let terminated = 0;
    const restarting = async () => {
      for (let round = 0; round < restarts; round++) {
        const index = round % 2;
        await instances[index].kill('SIGTERM');
        if (instances[index].exitCode === 0) terminated++;
        starting = true;
        instances[index] = await start(2);
        starting = false;
        await delay(200);
      }
      running = false;
    };
    await Promise.all([restarting(), emitting(), noticing(), ...Array.from({ length: 16 }, asking)]);
    // What a receipt counts was handed to a server that was there, or closing.
    const unnoticed = () => receivers.filter((count, n) => (journal.noticed.get(n) ?? 0) < count).length;
    const allThere = () => journal.events.size >= emitted && unnoticed() === 0;
    await until('all events are handled', allThere, 15_000).catch(() => {});
    const lost = { requests: failures.length, events: emitted - journal.events.size, noticed: unnoticed() };
    const pending = transportAccess(bus).pendingRequests;
    const twice = [...journal.done.values()].filter((times) => times > 1).length;
    const pass =
      pending === 0 && terminated === restarts && Object.values(lost).every((count) => count === 0);
    const sent = {
      requests: asked,
      events: emitted,
      atMostOnce: receivers.length,
      slowestMs: Math.round(slowestMs),
    };
    report({ ...sent, faults: terminated, lost, duplicated: twice, pass });
    expect(failures).toEqual([]);
    expect(lost).toEqual({ requests: 0, events: 0, noticed: 0 });
    expect({ pending, terminated, twice }).toEqual({ pending: 0, terminated: restarts, twice: 0 });
    expect(slowestMs).toBeLessThan(timeoutMs);
    expect(asked).toBeGreaterThan(restarts * 20);
  }, 600_000);
});
