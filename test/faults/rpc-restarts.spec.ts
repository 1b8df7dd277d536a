import { setTimeout as delay } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { RedisServer } from '../support/redis-server.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { ServerJournal, ServerProcess } from './rpc-processes.js';
import { until } from './streams-processes.js';

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

  it('R2: a server is killed in the middle of a request', async () => {
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
    const pending = clients.reduce((sum, each) => sum + each.unwrap<DiscoBus>().pendingRequests, 0);
    const slowestMs = Math.max(...settled.map(({ tookMs }) => tookMs));
    const pass = unknown === kills && killed === kills && pending === 0 && slowestMs <= timeoutMs + 250;
    report({ id: 'R2', sent: kills, faults: killed, unknown, worstRecoveryMs: slowestMs, pass });
    expect(killed).toBe(kills);
    expect({ unknown, pending }).toEqual({ unknown: kills, pending: 0 });
    expect(slowestMs).toBeLessThanOrEqual(timeoutMs + 250);
  }, 300_000);

  it('R5: rolling restarts under load lose no request and no event', async () => {
    const restarts = scaled(20);
    const client = await connect(10_000);
    const instances = await Promise.all([start(2), start(2)]);
    let running = true;
    let asked = 0;
    let emitted = 0;
    let retried = 0;
    const failures: unknown[] = [];
    const ask = async (n: number, tries = 5): Promise<void> => {
      try {
        const answer = await lastValueFrom(client.send<number>('work', n));
        if (answer !== n) failures.push(`${n} was answered with ${answer}`);
      } catch (error) {
        if (tries === 0) failures.push(error);
        else {
          retried++;
          await delay(20);
          await ask(n, tries - 1);
        }
      }
    };
    const asking = async () => {
      while (running) await ask(asked++);
    };
    const emitting = async () => {
      while (running) {
        await lastValueFrom(client.emit('happened', emitted++), { defaultValue: undefined });
        await delay(2);
      }
    };
    let terminated = 0;
    const restarting = async () => {
      for (let round = 0; round < restarts; round++) {
        const index = round % 2;
        await instances[index].kill('SIGTERM');
        if (instances[index].exitCode === 0) terminated++;
        instances[index] = await start(2);
      }
      running = false;
    };
    await Promise.all([restarting(), emitting(), ...Array.from({ length: 16 }, asking)]);
    await until('all events are handled', () => journal.events.size >= emitted, 15_000).catch(() => {});
    const lost = emitted - journal.events.size;
    const pending = client.unwrap<DiscoBus>().pendingRequests;
    const twice = [...journal.done.values()].filter((times) => times > 1).length;
    const pass = failures.length === 0 && lost === 0 && pending === 0 && terminated === restarts;
    const figures = {
      sent: asked + emitted,
      requests: asked,
      events: emitted,
      retried,
      failed: failures.length,
    };
    report({ id: 'R5', ...figures, faults: terminated, lost, duplicated: twice, pass });
    expect(failures).toEqual([]);
    expect({ lost, pending, terminated }).toEqual({ lost: 0, pending: 0, terminated: restarts });
    expect(asked).toBeGreaterThan(restarts * 20);
  }, 300_000);
});
