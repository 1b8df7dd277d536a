import type { Cluster, Redis } from 'ioredis';
import { runningScript } from '../scripts/group-scripts.js';
import { persist, type StreamConnection } from '../stream-connection.js';
import type { GroupKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const running = new StreamScript(runningScript);

/** How a {@link RunningMark} tells Redis what consumer `name` runs: at once, and, where it `matters`, again until Redis answers. */
export function runningText(connection: StreamConnection, { stream, state }: GroupKeys, name: string) {
  return (text: string, matters: boolean): Promise<unknown> => {
    const write = (client: Redis | Cluster) => running.run(client, [stream, state], [name, text]);
    return matters ? persist(connection, write) : connection.run(write);
  };
}

/** What a consumer is running, as far as a crash of its process is concerned. */
export interface RunningEntries {
  /** The names of entries, and of parts of bundles, whose handlers have begun and have no recorded outcome. */
  begun(): readonly string[];
  /** Whether it also holds entries whose handlers have not begun. */
  readonly hasUnbegun: boolean;
}

/** After so long without a beginning, Redis is told exactly what runs. A busy consumer is told nothing of it. */
const QUIET_MS = 50;
/** More names than this are not told: all that is held then counts as begun. */
const MOST_NAMES = 1_000;

/**
 * Tells Redis which entries a crash of this process is to be blamed on: those whose handlers have begun. What Redis knows is
 * never less than that: a handler that Redis would not count is told before it starts.
 *
 * The text: names joined by commas, or `*` for all that is held; after a `-`, they ran beside a suspect that is tried
 * alone in another topic of this process, which is blamed instead of them.
 */
export class RunningMark {
  /** What Redis counts as begun. */
  private told: ReadonlySet<string> | 'all' = 'all';
  private toldMs = Number.NEGATIVE_INFINITY;
  private tried = false;
  private spared = false;
  private began = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly entries: RunningEntries,
    /** Resolves when Redis knows `text`; sent at once, and, where it `matters`, again until Redis answers. */
    private readonly send: (text: string, matters: boolean) => Promise<unknown>,
  ) {}

  /** To be called before the handler of `name` starts. */
  begins(name: string): void {
    if (this.tried || (this.told !== 'all' && this.told.has(name))) return;
    if (this.told !== 'all') {
      const isBusy = performance.now() - this.toldMs < QUIET_MS;
      void this.tell(isBusy ? 'all' : new Set([...this.entries.begun(), name]));
    }
    this.began = true;
    this.watch();
  }

  /** Resolves when Redis knows that only `name` is to be blamed, or cannot be told. Never rejects. */
  async tries(name: string): Promise<void> {
    this.tried = true;
    await this.tell(new Set([name]), true);
  }

  /** The trial is over; what begins from now on counts again. */
  endTrial(): void {
    this.tried = false;
  }

  /** Resolves when Redis knows whether what runs here is spared, as a suspect is tried elsewhere, or cannot be told. */
  async spare(spared: boolean): Promise<void> {
    if (this.spared === spared) return;
    this.spared = spared;
    await this.tell(this.told, true);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private get text(): string {
    return (this.spared ? '-' : '') + (this.told === 'all' ? '*' : [...this.told].join(','));
  }

  private async tell(told: ReadonlySet<string> | 'all', matters = false): Promise<void> {
    this.told = told;
    this.toldMs = performance.now();
    try {
      await this.send(this.text, matters);
    } catch {
      // What Redis knows now is not known here: the next beginning is told again.
      if (this.told === told) this.told = new Set();
    }
  }

  private watch(): void {
    this.timer ??= setTimeout(this.look, QUIET_MS).unref();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    if (this.began) {
      this.began = false;
      this.watch();
      return;
    }
    if (this.tried || this.told !== 'all' || !this.entries.hasUnbegun) return;
    const names = this.entries.begun();
    if (names.length <= MOST_NAMES) void this.tell(new Set(names));
  };
}
