import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { bundledProgram } from '../support/source-process.js';

/** What a microservice process is told. */
export interface ServerConfig {
  readonly url: string;
  readonly prefix: string;
  readonly workMs: number;
}

/** What a microservice process tells. */
export interface ServerEntry {
  readonly type: 'ready' | 'begun' | 'done' | 'event' | 'noticed';
  readonly n: number;
}

/** What all microservices of a test have told. */
export class ServerJournal {
  readonly done = new Map<number, number>();
  readonly events = new Map<number, number>();
  /** Events at most once. */
  readonly noticed = new Map<number, number>();
  private readonly waiters = new Map<string, () => void>();

  add({ type, n }: ServerEntry): void {
    const { done, events: event, noticed } = this;
    const counts = { done, event, noticed }[type as string];
    counts?.set(n, (counts.get(n) ?? 0) + 1);
    this.waiters.get(`${type} ${n}`)?.();
  }

  /** Resolves when that is told. */
  told(type: ServerEntry['type'], n: number): Promise<void> {
    return new Promise((resolve) => this.waiters.set(`${type} ${n}`, resolve));
  }
}

/** One instance of a microservice as a process of its own. */
export class ServerProcess {
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;

  constructor(
    private readonly child: ChildProcess,
    journal: ServerJournal,
  ) {
    this.exited = new Promise((resolve) => child.once('exit', () => resolve()));
    this.ready = new Promise((resolve, reject) => {
      child.on('message', (entry: ServerEntry) => {
        journal.add(entry);
        if (entry.type === 'ready') resolve();
      });
      child.once('exit', () => reject(new Error('a server ended before it was ready')));
    });
    this.ready.catch(() => {});
  }

  /** Resolves when it listens. */
  static async start(config: ServerConfig, journal: ServerJournal): Promise<ServerProcess> {
    const script = bundledProgram(join(process.cwd(), 'test/faults/rpc-server.ts'));
    const child = spawn(process.execPath, [script], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, SERVER: JSON.stringify(config) },
    });
    const server = new ServerProcess(child, journal);
    await server.ready;
    return server;
  }

  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** The signal that ended it. */
  get signal(): NodeJS.Signals | null {
    return this.child.signalCode;
  }

  /** Resolves when it has ended. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    await this.exited;
  }
}
