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
    /** Resolves when Redis knows `text`; sent at once. */
    private readonly write: (text: string) => Promise<void>,
  ) {}

  /** To be called before the handler of `name` starts. */
  begins(name: string): void {
    if (this.tried || (this.told !== 'all' && this.told.has(name))) return;
    if (this.told !== 'all') {
      const isBusy = performance.now() - this.toldMs < QUIET_MS;
      this.tell(isBusy ? 'all' : new Set([...this.entries.begun(), name]));
    }
    this.began = true;
    this.watch();
  }

  /** Resolves when Redis knows that only `name` is to be blamed. */
  async tries(name: string): Promise<void> {
    this.tried = true;
    this.told = new Set([name]);
    await this.write(this.text);
  }

  /** The trial is over; what begins from now on counts again. */
  endTrial(): void {
    this.tried = false;
  }

  /** Resolves when Redis knows whether what runs here is spared, as a suspect is tried elsewhere. */
  async spare(spared: boolean): Promise<void> {
    if (this.spared === spared) return;
    this.spared = spared;
    await this.write(this.text);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private get text(): string {
    return (this.spared ? '-' : '') + (this.told === 'all' ? '*' : [...this.told].join(','));
  }

  private tell(told: ReadonlySet<string> | 'all'): void {
    this.told = told;
    this.toldMs = performance.now();
    // Where that fails, the next beginning is told again.
    this.write(this.text).catch(() => {
      this.told = new Set();
    });
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
    if (names.length <= MOST_NAMES) this.tell(new Set(names));
  };
}
