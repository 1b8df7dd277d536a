import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Gauge } from 'prom-client';
import { flushWhenRead, type Tally } from './tallies.js';

/** How often the delay is measured, milliseconds. */
const RESOLUTION_MS = 20;

const watched = new WeakMap<Gauge, EventLoopDelay>();

/** How late the event loop of the process ran since the last reading, for all buses of the process together. */
export class EventLoopDelay implements Tally {
  private readonly histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private users = 0;
  private detach: (() => void) | undefined;

  private constructor(private readonly gauge: Gauge) {}

  /** Measures until the returned function was called as often as this one. */
  static watch(gauge: Gauge): () => void {
    const delay = watched.get(gauge) ?? new EventLoopDelay(gauge);
    watched.set(gauge, delay);
    return delay.use();
  }

  flush(): void {
    const { histogram, gauge } = this;
    // What the timer itself takes is no delay.
    const late = (ns: number) => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1e3);
    gauge.labels('0.5').set(late(histogram.percentile(50)));
    gauge.labels('0.99').set(late(histogram.percentile(99)));
    gauge.labels('1').set(histogram.count === 0 ? 0 : late(histogram.max));
    histogram.reset();
  }

  private use(): () => void {
    if (this.users++ === 0) {
      this.histogram.enable();
      this.detach = flushWhenRead(this.gauge, this);
    }
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      if (--this.users > 0) return;
      this.detach?.();
      this.histogram.disable();
      this.gauge.reset();
    };
  }
}
