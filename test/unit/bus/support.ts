import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { Collector } from '../../support/collector.js';

/** A logger that keeps what it is told. */
export class KeepingLogger {
  readonly lines: string[] = [];
  log = (text: string) => void this.lines.push(text);
  warn = (text: string) => void this.lines.push(text);
  error = (text: string) => void this.lines.push(text);
}

/** Buses that are stopped after each test. They fan out unless told otherwise. */
export function buses() {
  const open: DiscoBus[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((bus) => bus.stop()));
  });
  const make = (options: Partial<DiscoBusOptions> = {}): DiscoBus => {
    const bus = new DiscoBus({
      driver: memoryDriver(),
      logger: new KeepingLogger(),
      service: 'default',
      defaults: { delivery: 'at-most-once' },
      ...options,
    });
    open.push(bus);
    return bus;
  };
  const started = async (options: Partial<DiscoBusOptions> = {}): Promise<DiscoBus> => {
    const bus = make(options);
    await bus.start();
    return bus;
  };
  return { make, started };
}

/** A list that can be waited on. */
export class Inbox<T> {
  private readonly collected = new Collector<T>();
  readonly items: T[] = this.collected.values;
  readonly push: (item: T) => void = this.collected.add;

  /** Resolves with the items once there are `count`; rejects after 25 s, before jest ends the test. */
  until(count: number): Promise<T[]> {
    return this.collected.has(count, 25_000);
  }
}

/** A promise and the function that resolves it. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
