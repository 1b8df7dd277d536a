import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leastUserArgs, underLeastRights } from './acl-rules.js';
import { pause } from './waiting.js';

/**
 * Below the ports that systems give to outgoing connections, each worker of the test run has some of its own, and begins
 * anywhere in them: so nobody takes a port between the asking and the server's start.
 */
const PORTS_PER_WORKER = 2_000;
const firstPort = 10_000 + ((Number(process.env.JEST_WORKER_ID ?? 1) - 1) % 10) * PORTS_PER_WORKER;
let asked = Math.floor(Math.random() * PORTS_PER_WORKER);

/** A port that is free at the moment of asking, and not given by this process before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + (asked++ % PORTS_PER_WORKER);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A redis-server of the test's own. */
export class RedisServer {
  private process?: ChildProcess;
  private exited: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly port: number,
    /** Where it keeps its files. */
    readonly directory: string,
    private readonly args: readonly string[],
  ) {}

  /** Starts one on a free port and resolves when it answers. `args` are added to its command line. */
  static async start(...args: string[]): Promise<RedisServer> {
    return RedisServer.startOn(await freePort(), ...args);
  }

  /** The same on a port of the caller's choice. */
  static async startOn(port: number, ...args: string[]): Promise<RedisServer> {
    const server = new RedisServer(port, await mkdtemp(join(tmpdir(), 'disco-redis-')), args);
    await server.boot();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Whether its process runs. */
  get isUp(): boolean {
    return this.process !== undefined && this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Starts the server again, on the same port and directory, after `kill`. */
  async boot(): Promise<void> {
    const binary = process.env.REDIS_SERVER_BIN ?? 'redis-server';
    const base = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory];
    const quiet = ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes'];
    // A primary sends its data to a replica at once, not after five seconds in which others might come.
    const prompt = ['--repl-diskless-sync-delay', '0'];
    const users = underLeastRights ? leastUserArgs(expect.getState().testPath) : [];
    const child = spawn(binary, [...base, ...quiet, ...prompt, ...this.args, ...users], { stdio: 'ignore' });
    this.process = child;
    this.exited = new Promise((resolve) => child.once('exit', resolve));
    await this.answering(child);
  }

  /** Ends the process with `signal` and resolves when it is gone. Its directory stays, for `boot`. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process?.kill(signal);
    await this.exited;
  }

  /** SIGSTOP: the sockets stay open and nothing answers, until `thaw`. */
  freeze(): void {
    this.process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.process?.kill('SIGCONT');
  }

  /** Ends the server for good and removes its directory. */
  async stop(): Promise<void> {
    this.thaw();
    await this.kill('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  private async answering(child: ChildProcess): Promise<void> {
    for (let attempt = 0; attempt < 400; attempt++) {
      if (child.exitCode !== null) throw new Error(`redis-server exited with ${child.exitCode}`);
      if (await ping(this.port)) return;
      await pause(25);
    }
    throw new Error(`redis-server on port ${this.port} did not answer`);
  }
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => end(data.toString().startsWith('+PONG')));
    socket.once('error', () => end(false));
    socket.setTimeout(1_000, () => end(false));
  });
}
