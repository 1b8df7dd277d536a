import { makePayload } from './payload.mjs';
import { nowUs } from './statistics.mjs';
import { startWorker } from './worker.mjs';

/** The client's process: asks through a contender. */
export class Client {
  async start(make, options) {
    this.ask = await make(options);
  }

  /** `count` requests, `inFlight` at a time, each next one when one is answered. Rejects if a reply is not what was sent. */
  async flood({ count, inFlight, sizeBytes }) {
    const payload = makePayload(sizeBytes);
    const cpu = process.cpuUsage();
    const startUs = nowUs();
    let sent = 0;
    const lane = async () => {
      while (sent < count) {
        const number = ++sent;
        const { at } = await this.ask(payload(number));
        if (at !== number) throw new Error(`request ${number} was answered with the reply to ${at}`);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    return { seconds: (nowUs() - startUs) / 1e6, cpu: process.cpuUsage(cpu) };
  }
}

/** A server's process. */
export class Server {
  async start(make, options) {
    await make(options);
  }

  /** CPU time used so far. */
  usage() {
    return process.cpuUsage();
  }
}

/** A contender's client process, its server processes, and the Redis between them. */
export class Exchange {
  static async start(redis, contender, instances, options = {}) {
    const given = { url: redis.url, port: redis.port, instances, ...options };
    const servers = [];
    try {
      while (servers.length < instances) {
        servers.push(await startWorker(contender, 'server', { ...given, instance: servers.length }));
      }
      return new Exchange(redis, await startWorker(contender, 'client', given), servers);
    } catch (error) {
      await Promise.all(servers.map((server) => server.stop()));
      throw error;
    }
  }

  constructor(redis, client, servers) {
    this.redis = redis;
    this.client = client;
    this.servers = servers;
  }

  /** Resolves with requests/s and CPU µs per request: client, servers and Redis. */
  async flood(options) {
    const before = await this.used();
    const { seconds, cpu } = await this.client.call('flood', options);
    const after = await this.used();
    const client = (cpu.user + cpu.system) / options.count;
    const servers = (after.servers - before.servers) / options.count;
    const redis = (after.redis - before.redis) / options.count;
    return {
      perSecond: options.count / seconds,
      cpu: { client, servers, redis, total: client + servers + redis },
    };
  }

  async used() {
    const usages = await Promise.all(this.servers.map((server) => server.call('usage')));
    const servers = usages.reduce((sum, { user, system }) => sum + user + system, 0);
    return { servers, redis: (await this.redis.cpuSeconds()) * 1e6 };
  }

  async stop() {
    await Promise.all([this.client, ...this.servers].map((worker) => worker.stop()));
  }
}
