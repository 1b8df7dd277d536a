import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A redis-server of the bench's own, in memory only. A subscriber that lags is never cut off: it is measured to its end. */
export async function startRedis() {
  const binary = execFileSync('sh', [join(root, 'test/support/redis-server.sh')], { cwd: root })
    .toString()
    .trim();
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'disco-bench-'));
  const inMemory = ['--save', '', '--appendonly', 'no', '--client-output-buffer-limit', 'pubsub 0 0 0'];
  const server = spawn(
    binary,
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--maxmemory-policy',
      'noeviction',
      ...inMemory,
    ],
    { stdio: 'ignore' },
  );
  const exited = new Promise((resolve) => server.once('exit', resolve));
  await answering(port, server);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    /** Seconds of CPU that the server has used so far. */
    cpuSeconds: async () => {
      const text = await ask(port, 'INFO cpu\r\n', (answer) => answer.includes('used_cpu_user_children'));
      return field(text, 'used_cpu_user') + field(text, 'used_cpu_sys');
    },
    stop: async () => {
      server.kill('SIGKILL');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
    probe.on('error', reject);
  });
}

async function answering(port, server) {
  for (let attempt = 0; attempt < 200; attempt++) {
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
