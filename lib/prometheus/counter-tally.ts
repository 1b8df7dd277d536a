import type { Counter, Gauge } from 'prom-client';
import { flushWhenRead, type Tally } from './tallies.js';

/** One child of a counter, or this bus's part in one of a gauge. */
export class CounterTally implements Tally {
  private readonly child: Pick<Counter.Internal, 'inc'>;
  private readonly detach: () => void;
  private pending = 0;
  private total = 0;

  constructor(metric: Counter | Gauge, ...labels: string[]) {
    this.child = metric.labels(...labels);
    this.child.inc(0);
    this.detach = flushWhenRead(metric, this);
  }

  add(change: number): void {
    this.pending += change;
  }

  flush(): void {
    if (this.pending === 0) return;
    this.child.inc(this.pending);
    this.total += this.pending;
    this.pending = 0;
  }

  /** What was counted stays; later changes are ignored. */
  close(): void {
    this.detach();
  }

  /** The same for a gauge: its part is taken out. */
  withdraw(): void {
    this.detach();
    this.child.inc(-this.total);
    this.total = 0;
  }
}
