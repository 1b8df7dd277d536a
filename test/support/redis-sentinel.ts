import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { SelfSigned } from './certificate.js';
import { freePort, RedisServer } from './redis-server.js';
import { pause } from './waiting.js';

/** Shorter, and on a busy machine a server that lives is taken for dead. */
const DOWN_AFTER_MS = 2_000;
/** Sentinels begin no second failover within twice this. */
export const FAILOVER_TIMEOUT_MS = 3_000;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** A primary, a replica of it, and three Sentinels that watch them; with a certificate they speak TLS with each other. */
export class RedisSentinel {
  readonly name = 'disco-primary';
  private readonly processes: ChildProcess[] = [];

  private constructor(
    readonly primary: RedisServer,
    readonly replica: RedisServer,
    readonly sentinels: readonly Address[],
    /** Where the same Sentinels speak TLS; empty without a certificate. */
    readonly secured: readonly Address[],
    private readonly directory: string,
  ) {}

  /** Resolves when the Sentinels know the replica and each other, so that a failover can happen. */
  static async start(certificate?: SelfSigned): Promise<RedisSentinel> {
    const tlsPorts = certificate === undefined ? [] : await freePorts(5);
    const securedBy = (port: number) =>
      certificate === undefined ? [] : [...certificate.args(port), '--tls-replication', 'yes'];
    const primary = await RedisServer.start(...securedBy(tlsPorts[3]));
    const watched = tlsPorts[3] ?? primary.port;
    const following = ['--replicaof', '127.0.0.1', String(watched)];
    const replica = await RedisServer.start(...following, ...securedBy(tlsPorts[4]));
    const ports = await freePorts(3);
    const directory = await mkdtemp(join(tmpdir(), 'disco-sentinel-'));
    const secured = addresses(tlsPorts.slice(0, 3));
    const group = new RedisSentinel(primary, replica, addresses(ports), secured, directory);
    await Promise.all(
      ports.map((port, index) => {
        const tls: [string, string][] =
          certificate === undefined
            ? []
            : [
                ['tls-port', String(tlsPorts[index])],
                ['tls-replication', 'yes'],
                ...certificate.directives(),
              ];
        return group.spawn(port, watched, tls);
      }),
    );
    await Promise.all(ports.map((port) => group.watching(port)));
    return group;
  }

  /** The server that all Sentinels call the primary now; undefined while they differ. */
  async currentPrimary(): Promise<RedisServer | undefined> {
    const named = await Promise.all(
      this.sentinels.map(({ port }) => this.ask('GET-MASTER-ADDR-BY-NAME', port)),
    );
    const ports = new Set(named.map((address) => Number((address as [string, string])[1])));
    return [this.primary, this.replica].find(({ port }) => ports.size === 1 && ports.has(port));
  }

  /** Has the Sentinels make the replica the primary; resolves when they begin to. */
  async failover(): Promise<void> {
    const deadline = Date.now() + 20_000;
    // They refuse while the replica is not known to be a good one, as right after the last failover.
    while (!(await this.ask('FAILOVER').catch(() => false))) {
      if (Date.now() > deadline) throw new Error('the Sentinels did not begin a failover in 20 s');
      await pause(50);
    }
  }

  /** Makes a former primary a replica at once, as whoever runs it would; the Sentinels take some ten seconds. */
  async demote(former: RedisServer): Promise<void> {
    const other = former === this.primary ? this.replica : this.primary;
    const admin = new Redis({ port: former.port });
    await admin.replicaof('127.0.0.1', other.port);
    admin.disconnect();
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.processes.map((child) => {
        const exited = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return exited;
      }),
    );
    await Promise.all([this.primary.stop(), this.replica.stop()]);
    await rm(this.directory, { recursive: true, force: true });
  }

  private async ask(command: string, port = this.sentinels[0].port): Promise<unknown> {
    const sentinel = new Redis({ port });
    try {
      return await sentinel.call('SENTINEL', command, this.name);
    } finally {
      sentinel.disconnect();
    }
  }

  private async spawn(port: number, watched: number, more: [string, string][]): Promise<void> {
    const file = join(this.directory, `${port}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${this.directory}`,
      `sentinel monitor ${this.name} 127.0.0.1 ${watched} 2`,
      `sentinel down-after-milliseconds ${this.name} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${this.name} ${FAILOVER_TIMEOUT_MS}`,
      ...more.map((directive) => directive.join(' ')),
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    const binary = process.env.REDIS_SERVER_BIN ?? 'redis-server';
    this.processes.push(spawn(binary, [file, '--sentinel'], { stdio: 'ignore' }));
  }

  private async watching(port: number): Promise<void> {
    const sentinel = new Redis({ port, retryStrategy: () => 25 });
    sentinel.on('error', () => undefined);
    const deadline = Date.now() + 20_000;
    for (;;) {
      const state = await sentinel.call('SENTINEL', 'MASTER', this.name).catch(() => []);
      const fields = Array.isArray(state)
        ? state.map(String)
        : Object.entries(state as object)
            .flat()
            .map(String);
      const value = (field: string) => fields[fields.indexOf(field) + 1];
      if (value('num-slaves') === '1' && value('num-other-sentinels') === '2') break;
      if (Date.now() > deadline) throw new Error('the Sentinels did not find each other in 20 s');
      await pause(50);
    }
    sentinel.disconnect();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

function addresses(ports: readonly number[]): Address[] {
  return ports.map((port) => ({ host: '127.0.0.1', port }));
}
