import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { bundledProgram } from '../support/source-process.js';

/** What a consumer process is told. */
export interface ConsumerConfig {
  readonly url: string;
  readonly topic: string;
  readonly group: string;
  readonly claimAfterMs: number;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly workMs: number;
  readonly retryDelayMs: number;
  /** Whether the order of keys is kept. */
  readonly orderBy?: 'key';
  /** The version of the topic's definition that it knows. @default it has no definition */
  readonly version?: number;
}

/** What a consumer process tells. */
export interface JournalEntry {
  readonly type: 'ready' | 'begun' | 'failed' | 'done';
  readonly n: number;
  readonly attempt: number;
  readonly at: number;
  /** The fields of the payload that the handler got. */
  readonly fields?: string;
}

/** What all consumers of a test have told. */
export class Journal {
  readonly done = new Map<number, number>();
  readonly begun = new Map<number, number>();
  readonly entries: JournalEntry[] = [];

  add(entry: JournalEntry): void {
    this.entries.push(entry);
    const counts = entry.type === 'done' ? this.done : entry.type === 'begun' ? this.begun : undefined;
    counts?.set(entry.n, (counts.get(entry.n) ?? 0) + 1);
  }

  /** Messages that were handled to the end more than once, each as often as that was too often. */
  get duplicated(): number {
    let count = 0;
    for (const times of this.done.values()) count += times - 1;
    return count;
  }

  /** Messages of 0 … `count` − 1 that were never handled to the end. */
  lost(count: number): number[] {
    return Array.from({ length: count }, (_, n) => n).filter((n) => !this.done.has(n));
  }
}

/** One consumer as a process of its own. */
export class ConsumerProcess {
  readonly exited: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    readonly ready: Promise<void>,
  ) {
    this.exited = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  static start(config: ConsumerConfig, journal: Journal): ConsumerProcess {
    const script = bundledProgram(join(process.cwd(), 'test/faults/streams-consumer.ts'));
    const child = spawn(process.execPath, [script], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, CONSUMER: JSON.stringify(config) },
    });
    const ready = new Promise<void>((resolve) => {
      child.on('message', (entry: JournalEntry) => {
        journal.add(entry);
        if (entry.type === 'ready') resolve();
      });
    });
    return new ConsumerProcess(child, ready);
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The signal that ended it. */
  get signal(): NodeJS.Signals | null {
    return this.child.signalCode;
  }

  /** Sends a signal and waits for nothing. */
  signalWith(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.exited;
  }
}
