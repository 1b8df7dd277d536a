import type { Metric } from 'prom-client';

/** Measurements kept as plain numbers, which reach a metric only when it is read: what a message costs is an addition. */
export interface Tally {
  /** Hands what has been counted to the metric, and begins again. */
  flush(): void;
}

/** prom-client calls this whenever a metric is read; its types name it only among a metric's options. */
interface Collected {
  collect?: () => void | Promise<void>;
}

const talliesOf = new WeakMap<object, Set<Tally>>();

/** Has `tally` flushed before each reading of `metric`, until the returned function is called, which flushes once more. */
export function flushWhenRead(metric: Metric, tally: Tally): () => void {
  const tallies = talliesOf.get(metric) ?? attach(metric);
  tallies.add(tally);
  return () => {
    tally.flush();
    tallies.delete(tally);
  };
}

/** A metric is shared by all buses of the process, and may have a collector of its own. */
function attach(metric: Metric): Set<Tally> {
  const tallies = new Set<Tally>();
  const collected = metric as unknown as Collected;
  const own = collected.collect;
  collected.collect = () => {
    for (const tally of tallies) tally.flush();
    return own?.call(metric);
  };
  talliesOf.set(metric, tallies);
  return tallies;
}
