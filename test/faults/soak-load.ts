import { pause } from '../support/waiting.js';

const TICK_MS = 10;
/** More may not be on their way at once: what is due then is published later. */
const MOST_OPEN = 800;
const LONGEST_MS = 10_000;

/** Publishes at a rate and keeps what became of each message, in memory that does not grow. */
export class SoakLoad {
  readonly latencies = new Latencies();
  readonly refused = new Map<string, number>();
  accepted = 0;
  unknown = 0;
  duplicated = 0;
  sent = 0;
  private readonly isAccepted: Uint8Array;
  private readonly handledTimes: Uint8Array;
  /** When each message was published, ms since `startedMs`. */
  private readonly publishedMs: Float64Array;
  private readonly failedTimes: Uint8Array;
  private open = 0;
  /** Messages published since then count for the latencies; undefined while there is a fault. */
  private quietSinceMs: number | undefined;

  constructor(
    private readonly perSecond: number,
    seconds: number,
    private readonly publish: (n: number) => Promise<unknown>,
  ) {
    const most = perSecond * (seconds + 60);
    this.isAccepted = new Uint8Array(most);
    this.handledTimes = new Uint8Array(most);
    this.failedTimes = new Uint8Array(most);
    this.publishedMs = new Float64Array(most);
  }

  /** Publishes until `nemesis` has ended, and resolves when the outcome of each publish is known. */
  async during(nemesis: () => Promise<void>): Promise<void> {
    let running = true;
    const ended = nemesis().finally(() => {
      running = false;
    });
    let behind = 0;
    for (let lastMs = performance.now(); running; await pause(TICK_MS)) {
      const now = performance.now();
      behind = Math.min(this.perSecond, behind + ((now - lastMs) * this.perSecond) / 1_000);
      lastMs = now;
      for (; behind >= 1 && this.open < MOST_OPEN && this.sent < this.isAccepted.length; behind--)
        this.send();
    }
    await ended;
    while (this.open > 0) await pause(TICK_MS);
  }

  /** The handler's side: message `n` was handled. */
  handled(n: number): void {
    if (this.handledTimes[n]++ > 0) this.duplicated++;
    const quietSinceMs = this.quietSinceMs ?? Number.POSITIVE_INFINITY;
    if (this.publishedMs[n] >= quietSinceMs) this.latencies.add(performance.now() - this.publishedMs[n]);
  }

  /** From now on all counts as undisturbed, or nothing does. */
  quiet(isQuiet: boolean): void {
    this.quietSinceMs = isQuiet ? performance.now() : undefined;
  }

  /** Accepted messages that nobody has handled. */
  get missing(): number {
    let count = 0;
    for (let n = 0; n < this.sent; n++) if (this.isAccepted[n] === 1 && this.handledTimes[n] === 0) count++;
    return count;
  }

  /** Handled messages whose publish was told to have failed for certain. */
  get ghosts(): number {
    let count = 0;
    for (let n = 0; n < this.sent; n++) if (this.failedTimes[n] === 1 && this.handledTimes[n] > 0) count++;
    return count;
  }

  private send(): void {
    const n = this.sent++;
    this.open++;
    this.publishedMs[n] = performance.now();
    this.publish(n)
      .then(
        () => {
          this.isAccepted[n] = 1;
          this.accepted++;
        },
        (error: { code?: string }) => this.failed(n, error.code ?? String(error)),
      )
      .finally(() => this.open--);
  }

  private failed(n: number, code: string): void {
    if (code === 'DISCO_PUBLISH_OUTCOME_UNKNOWN') {
      this.unknown++;
      return;
    }
    this.failedTimes[n] = 1;
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}

/** How many took so many milliseconds. */
class Latencies {
  private readonly counts = new Uint32Array(LONGEST_MS + 1);
  count = 0;

  add(ms: number): void {
    this.counts[Math.min(LONGEST_MS, Math.ceil(ms))]++;
    this.count++;
  }

  /** The latency, whole ms, that this part of them does not exceed; 0 without any. */
  quantile(part: number): number {
    let left = this.count * part;
    for (let ms = 0; ms <= LONGEST_MS; ms++) {
      left -= this.counts[ms];
      if (left <= 0) return ms;
    }
    return LONGEST_MS;
  }
}
