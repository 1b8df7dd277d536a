import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * A redis-server of the bench's own, in memory only, with the settings that `extra` adds. A subscriber that lags is never
 * cut off: it is measured to its end.
 */
export async function startRedis(extra = []) {
  const binary = execFileSync('sh', [join(root, 'test/support/redis-server.sh')], { cwd: root })
    .toString()
    .trim();
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'disco-bench-'));
  const server = spawn(binary, settings(port, dir, extra), { stdio: 'ignore' });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const stop = async () => {
    server.kill('SIGKILL');
    await exited;
    rmSync(dir, { recursive: true, force: true });
  };
  await answering(port, server).catch(async (error) => {
    await stop();
    throw error;
  });
  return new BenchRedis(port, stop);
}

function settings(port, dir, extra) {
  const inMemory = ['--save', '', '--appendonly', 'no', '--client-output-buffer-limit', 'pubsub 0 0 0'];
  const local = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir];
  return [...local, '--maxmemory-policy', 'noeviction', ...inMemory, ...extra];
}

/** One running redis-server. */
class BenchRedis {
  constructor(port, stop) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    /** Ends the server and removes its folder. */
    this.stop = stop;
  }

  /** Seconds of CPU that the server has used so far. */
  async cpuSeconds() {
    const text = await this.ask('INFO cpu', (answer) => answer.includes('used_cpu_user_children'));
    return field(text, 'used_cpu_user') + field(text, 'used_cpu_sys');
  }

  /** The version that the server gives. */
  async version() {
    const text = await this.ask('INFO server', (answer) => answer.includes('io_threads_active'));
    return /redis_version:(\S+)/.exec(text)[1];
  }

  /** How many commands have run so far, by INFO commandstats; what scripts call counts as well, asking does not. */
  async commandsRun() {
    const text = await this.ask('INFO commandstats', (answer) => /^\$\d+\r\n[\s\S]*\r\n$/.test(answer));
    const calls = [...text.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].filter(([, name]) => name !== 'info');
    return calls.reduce((sum, [, , count]) => sum + Number(count), 0);
  }

  /** Counts, until it is stopped, the commands that clients send: what scripts call does not count. */
  commandsSent() {
    return new Promise((resolve, reject) => {
      let sent = 0;
      const socket = connect(this.port, '127.0.0.1', () => socket.write('MONITOR\r\n'));
      socket.on('error', reject);
      socket.once('data', () => {
        const lines = createInterface({ input: socket });
        lines.on('line', (text) => {
          if (!/^\+\S+ \[\d+ lua\]|"info"/i.test(text)) sent++;
        });
        const stop = () => socket.destroy();
        resolve({ count: () => sent, stop });
      });
    });
  }

  /** The answer to one command, once `isWhole` says that all of it has come. */
  ask(command, isWhole = (text) => text.endsWith('\r\n')) {
    return ask(this.port, `${command}\r\n`, isWhole);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      // A cluster's nodes talk to each other on the port + 10000.
      probe.close(() => resolve(port > 55_000 ? freePort() : port));
    });
    probe.on('error', reject);
  });
}

async function answering(port, server) {
  for (let attempt = 0; attempt < 1_200; attempt++) {
    if (server.exitCode !== null) throw new Error(`redis-server exited with ${server.exitCode}`);
    const answer = await ask(port, 'PING\r\n', (text) => text.startsWith('+PONG')).catch(() => '');
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`redis-server on port ${port} did not answer`);
}

function ask(port, command, isWhole) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(command));
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
      if (!isWhole(text)) return;
      socket.destroy();
      resolve(text);
    });
    socket.on('error', reject);
  });
}

function field(text, name) {
  return Number(new RegExp(`${name}:([\\d.]+)`).exec(text)[1]);
}
