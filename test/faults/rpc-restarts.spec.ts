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

describe('Requests while the processes of a service end', () => {
  let redis: RedisServer;
  let client: DiscoBusClient;
  let journal: ServerJournal;
  let servers: ServerProcess[];
  const start = (workMs: number) => ServerProcess.start({ url: redis.url, workMs }, journal);
  const connect = async (timeoutMs: number) => {
    client = new DiscoBusClient({ url: redis.url, timeout: timeoutMs, logger: silent });
    await client.connect();
  };

  beforeEach(async () => {
    redis = await RedisServer.start();
    journal = new ServerJournal();
    servers = [];
  });
  afterEach(async () => {
    await client.close();
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    await redis.stop();
  });

  it('R2: a server is killed in the middle of a request', async () => {
    const kills = scaled(50);
    const timeoutMs = 1_000;
    await connect(timeoutMs);
    let unknown = 0;
    let killed = 0;
    let slowestMs = 0;
    for (let n = 0; n < kills; n++) {
      const server = await start(60_000);
      servers = [server];
      const begun = journal.told('begun', n);
      const startedMs = performance.now();
      const answer = lastValueFrom(client.send<number>('work', n)).catch((error) => error);
      await begun;
      await server.kill('SIGKILL');
      if (server.signal === 'SIGKILL') killed++;
      const error = await answer;
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      if (error?.code === 'DISCO_REQUEST_TIMEOUT') unknown++;
    }
    const pending = client.unwrap<DiscoBus>().pendingRequests;
    const pass = unknown === kills && killed === kills && pending === 0 && slowestMs <= timeoutMs + 250;
    report({ id: 'R2', sent: kills, faults: killed, unknown, worstRecoveryMs: slowestMs, pass });
    expect(killed).toBe(kills);
    expect({ unknown, pending }).toEqual({ unknown: kills, pending: 0 });
    expect(slowestMs).toBeLessThanOrEqual(timeoutMs + 250);
  }, 300_000);

  it('R5: rolling restarts under load lose no request and no event', async () => {
    const restarts = scaled(20);
    await connect(10_000);
    servers = await Promise.all([start(2), start(2)]);
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
        await servers[index].kill('SIGTERM');
        if (servers[index].exitCode === 0) terminated++;
        servers[index] = await start(2);
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
