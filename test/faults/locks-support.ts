import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { bundledProgram } from '../support/source-process.js';
import { until } from '../support/waiting.js';

/** Watches how far the computer's wall clock moves against the monotonic one. */
export class WallClockWatch {
  private readonly start = Date.now() - performance.now();
  private farthest = 0;
  private readonly timer = setInterval(() => this.look(), 100);

  /** The largest distance so far, whole milliseconds; ends the watch. */
  stop(): number {
    clearInterval(this.timer);
    this.look();
    return Math.round(this.farthest);
  }

  private look(): void {
    const distance = Math.abs(Date.now() - performance.now() - this.start);
    this.farthest = Math.max(this.farthest, distance);
  }
}

/** One hold of a lock in one process: from when it was granted until when it was last known to be valid. */
export interface Hold {
  readonly key: string;
  readonly token: bigint;
  readonly fromMs: number;
  readonly toMs: number;
  /** Whether it was ever seen to be valid: a process that was stopped may learn of a grant when it is long over. */
  readonly valid: boolean;
  /** When the holder wrote to the protected resource, without looking again. */
  readonly writeMs: number;
}

/** What a worker is told to do. */
export interface WorkerOrder {
  readonly url: string;
  readonly keys: readonly string[];
  readonly ttlMs: number;
  /** `cycle`: take and release by turns. `hold`: take the first key and keep it. */
  readonly task: 'cycle' | 'hold';
}

/** A process that takes locks and keeps a journal, which is read here. */
export class LockWorker {
  readonly holds: Hold[] = [];
  readonly errors: string[] = [];
  ready = false;
  holding = false;

  private constructor(readonly child: ChildProcess) {}

  static async start(order: WorkerOrder): Promise<LockWorker> {
    const child = fork(
      bundledProgram(join(process.cwd(), 'test/faults/locks-worker.ts')),
      [JSON.stringify(order)],
      {
        execArgv: [],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    );
    const worker = new LockWorker(child);
    child.on('message', (message) => worker.receive(message as Record<string, string | number | boolean>));
    await until('a worker is up', () => worker.ready || child.exitCode !== null, 60_000);
    if (!worker.ready) throw new Error('the worker ended at once');
    return worker;
  }

  go(): void {
    this.child.send('go');
  }

  /** Asks it to end its last cycle, and resolves when it has exited. */
  async stop(): Promise<void> {
    if (this.gone) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGCONT');
    this.child.send('stop');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    if (this.gone) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await exited;
  }

  get gone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private receive(message: Record<string, string | number | boolean>): void {
    if (message.type === 'ready') this.ready = true;
    else if (message.type === 'holding') this.holding = true;
    else if (message.type === 'error') this.errors.push(String(message.text));
    else {
      this.holds.push({ ...(message as unknown as Hold), token: BigInt(message.token) });
    }
  }
}

/** What is wrong with a history: valid intervals of one key that overlap, and tokens that do not rise with time. */
export function check(holds: readonly Hold[]): { overlaps: number; disorders: number } {
  let [overlaps, disorders] = [0, 0];
  for (const key of new Set(holds.map((hold) => hold.key))) {
    const own = holds.filter((hold) => hold.valid && hold.key === key).sort((a, b) => a.fromMs - b.fromMs);
    for (let at = 1; at < own.length; at++) {
      if (own[at].fromMs < own[at - 1].toMs) overlaps++;
      if (own[at].token <= own[at - 1].token) disorders++;
    }
  }
  return { overlaps, disorders };
}

/** A resource that refuses writes with a fencing token smaller than the largest it has seen. */
export class FencedStore {
  private readonly largest = new Map<string, bigint>();
  readonly accepted: { readonly key: string; readonly token: bigint }[] = [];
  refused = 0;

  write(key: string, token: bigint): void {
    if (token < (this.largest.get(key) ?? 0n)) {
      this.refused++;
      return;
    }
    this.largest.set(key, token);
    this.accepted.push({ key, token });
  }
}

/** Accepted writes of a grant that was over when the next one of its key had been written with. */
export function staleWrites(store: FencedStore, holds: readonly Hold[]): number {
  const grants = new Set(holds.map(({ key, token }) => `${key} ${token}`));
  const last = new Map<string, bigint>();
  let stale = holds.length - grants.size;
  for (const { key, token } of store.accepted) {
    if (token < (last.get(key) ?? 0n)) stale++;
    last.set(key, token);
  }
  return stale;
}
