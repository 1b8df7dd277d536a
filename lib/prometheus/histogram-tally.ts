import type { Histogram } from 'prom-client';
import { flushWhenRead, type Tally } from './tallies.js';

/** What a histogram of prom-client 15 keeps for one combination of labels. */
interface HistogramEntry {
  readonly labels: Readonly<Record<string, string>>;
  readonly bucketValues: Record<string, number>;
  sum: number;
  count: number;
}

/** The parts of a histogram that a tally is written to; prom-client's types do not tell them. */
interface OpenHistogram {
  readonly upperBounds: readonly number[];
  readonly hashMap: Readonly<Record<string, HistogramEntry>>;
}

/**
 * One child of a histogram. prom-client takes observations one by one, at half a microsecond each, so that they are
 * summed up here and written into its entry when it is read. Where it does not look as known, they go one by one.
 */
export class HistogramTally implements Tally {
  private readonly bounds: readonly number[];
  private readonly counts: number[];
  private readonly direct: ((value: number) => void) | undefined;
  private readonly detach: () => void;
  private key: string | undefined;
  private sum = 0;
  private count = 0;

  constructor(
    private readonly histogram: Histogram,
    private readonly labels: Readonly<Record<string, string>>,
  ) {
    this.direct = isOpen(histogram) ? undefined : (value) => histogram.observe(labels, value);
    this.bounds = this.direct ? [] : open(histogram).upperBounds;
    this.counts = this.bounds.map(() => 0);
    this.detach = flushWhenRead(histogram, this);
  }

  observe(value: number): void {
    if (this.direct) {
      this.direct(value);
      return;
    }
    const { bounds, counts } = this;
    this.sum += value;
    this.count++;
    for (let index = 0; index < bounds.length; index++) {
      if (value > bounds[index]) continue;
      counts[index]++;
      return;
    }
  }

  flush(): void {
    if (this.count === 0) return;
    const entry = this.entry();
    entry.sum += this.sum;
    entry.count += this.count;
    for (const [index, bound] of this.bounds.entries()) entry.bucketValues[bound] += this.counts[index];
    this.counts.fill(0);
    this.sum = 0;
    this.count = 0;
  }

  /** What was observed stays; later observations are ignored. */
  close(): void {
    this.detach();
  }

  /** Made again when the histogram was reset. */
  private entry(): HistogramEntry {
    const known = this.key === undefined ? undefined : open(this.histogram).hashMap[this.key];
    if (known) return known;
    if (!this.find()) this.histogram.zero(this.labels);
    return this.find() as HistogramEntry;
  }

  private find(): HistogramEntry | undefined {
    const names = Object.keys(this.labels);
    const entries = Object.entries(open(this.histogram).hashMap);
    const mine = entries.find(([, { labels }]) => names.every((name) => labels[name] === this.labels[name]));
    this.key = mine?.[0];
    return mine?.[1];
  }
}

function open(histogram: Histogram): OpenHistogram {
  return histogram as unknown as OpenHistogram;
}

function isOpen(histogram: Histogram): boolean {
  const { upperBounds, hashMap } = open(histogram);
  return Array.isArray(upperBounds) && typeof hashMap === 'object';
}
