import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { sourceFlags } from '../support/source-process.js';

const root = join(__dirname, '..', '..');
const fixtures = join(__dirname, 'fixtures');

class Worker {
  output = '';
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  private readonly child: ChildProcess;

  constructor(env: Record<string, string>) {
    const flags = [...sourceFlags, '--import', join(fixtures, 'without-packages.mjs')];
    this.child = spawn(process.execPath, [...flags, join(fixtures, 'worker.ts')], {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', ...env },
      timeout: 60_000,
    });
    this.child.stdout?.on('data', (chunk) => (this.output += chunk));
    this.child.stderr?.on('data', (chunk) => (this.output += chunk));
    this.ended = new Promise((resolve) =>
      this.child.once('close', (code, signal) => resolve({ code, signal })),
    );
  }

  /** Resolves when it has printed `text`; rejects when it ended without. */
  says(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => this.output.includes(text) && resolve();
      this.child.stdout?.on('data', check);
      void this.ended.then(() => reject(new Error(`ended without "${text}":\n${this.output}`)));
      check();
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

describe('a process of its own', () => {
  it('lets handlers finish when it is told to end', async () => {
    const worker = new Worker({ DISCO_BUS_URL: 'memory:' });
    await worker.says('begun');
    worker.signal('SIGTERM');
    worker.signal('SIGINT');
    const { code, signal } = await worker.ended;
    expect(signal ?? code).toMatch(/SIGTERM|SIGINT/);
    expect(worker.output).toMatch(/begun\n[\s\S]*handled\n[\s\S]*destroyed\n/);
    expect(worker.output).not.toContain('No metrics');
  }, 60_000);

  it('works without the packages of Redis and of the metrics, and says once that there are none', async () => {
    const WITHOUT = 'ioredis,prom-client,@willsoto/nestjs-prometheus';
    const worker = new Worker({ DISCO_BUS_URL: 'memory:', WITHOUT });
    await worker.says('handled');
    worker.signal('SIGTERM');
    await worker.ended;
    expect(worker.output.match(/No metrics: they need the packages prom-client and @willsoto/g)).toHaveLength(
      1,
    );
  }, 60_000);

  it('names ioredis when Redis is asked for without it', async () => {
    const worker = new Worker({ DISCO_BUS_URL: 'redis://127.0.0.1:1', WITHOUT: 'ioredis' });
    const { code } = await worker.ended;
    expect(code).toBe(1);
    expect(worker.output).toContain('DISCO_CONFIGURATION: The Redis driver needs the package "ioredis"');
  }, 60_000);
});
