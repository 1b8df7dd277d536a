import { nowUs, percentile } from './statistics.mjs';

const SILENCE_MS = 10_000;

/** Counts what a contender's handler is given. `arm`, then `collect`. */
export class Consumer {
  received = 0;
  expected = Number.POSITIVE_INFINITY;
  latencies = undefined;

  async start(make, options) {
    await make(options, (payload) => this.take(payload));
  }

  /** Begins a run of `count` messages. */
  arm({ count, timed }) {
    this.received = 0;
    this.expected = count;
    this.latencies = timed ? [] : undefined;
    this.endUs = undefined;
    this.cpu = process.cpuUsage();
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  /** Resolves when all have come, with the latency's percentiles if they were timed; rejects when nothing has come for a while. */
  async collect() {
    let before = -1;
    while (this.endUs === undefined) {
      if (this.received === before)
        throw new Error(`${this.received} of ${this.expected} messages came, then nothing more`);
      before = this.received;
      let timer;
      const silence = new Promise((resolve) => {
        timer = setTimeout(resolve, SILENCE_MS);
      });
      await Promise.race([this.done, silence]);
      clearTimeout(timer);
    }
    return { endUs: this.endUs, cpu: this.usedCpu, ...percentiles(this.latencies) };
  }

  take(payload) {
    if (this.latencies) this.latencies.push(nowUs() - sentUs(payload));
    if (++this.received !== this.expected) return;
    this.endUs = nowUs();
    this.usedCpu = process.cpuUsage(this.cpu);
    this.finish();
  }
}

function percentiles(latencies) {
  if (latencies === undefined) return {};
  const sorted = Float64Array.from(latencies).sort();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

function sentUs(payload) {
  return Buffer.isBuffer(payload) ? payload.readDoubleLE(0) : payload.at;
}
