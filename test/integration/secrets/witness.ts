import { inspect } from 'node:util';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import { openTelemetry } from '../../../lib/opentelemetry/index.js';
import { prometheus } from '../../support/prometheus.js';
import { Telemetry } from '../../support/telemetry.js';
import { until } from '../../support/waiting.js';

const run = `${process.pid}x${Date.now()}`;

/** Made when they run: sources, which stacks may quote, do not hold them. */
export const PASSWORD = `sesame${run}`;
export const PAYLOAD = `patient${run}`;

/** All that printing a value can show. */
export function shown(value: unknown): string {
  const seen = new WeakSet<object>();
  const json = JSON.stringify(value, (_, each) => {
    if (typeof each === 'bigint') return String(each);
    if (typeof each !== 'object' || each === null) return each;
    if (seen.has(each)) return undefined;
    seen.add(each);
    return each instanceof Error ? { ...each, text: `${each.name} ${each.message} ${each.stack}` } : each;
  });
  return `${inspect(value, { depth: null, showHidden: true, maxArrayLength: null })}\n${json}\n${String(value)}`;
}

/** Which of the lines hold a secret, with it covered up. */
export function hits(text: string): string[] {
  const covered = (line: string) => line.replaceAll(PASSWORD, '<password>').replaceAll(PAYLOAD, '<payload>');
  return text.split('\n').flatMap((line) => (covered(line) === line ? [] : [covered(line).slice(0, 300)]));
}

/** Keeps everything that operators get to see while one path fails. */
export class Witness {
  readonly telemetry = new Telemetry();
  readonly told: unknown[] = [];
  readonly say = (...args: unknown[]): void => void this.told.push(args);
  private readonly sinks: ReturnType<typeof prometheus>[] = [];
  private readonly buses: DiscoBus[] = [];
  private readonly closings: (() => unknown)[] = [];

  /** A bus that is not started. */
  bus(options: DiscoBusOptions): DiscoBus {
    const { say } = this;
    const sink = prometheus();
    this.sinks.push(sink);
    const bus = new DiscoBus({
      service: 'clinic',
      logger: { log: say, warn: say, error: say },
      metrics: sink.metrics,
      tracing: openTelemetry(),
      shutdownTimeout: 300,
      ...options,
    });
    bus.onStatus(say);
    this.buses.push(bus);
    return bus;
  }

  /** Has it printed in the end, as `console.log` would. */
  show<T>(value: T): T {
    this.told.push(value);
    return value;
  }

  after(close: () => unknown): void {
    this.closings.push(close);
  }

  /** Resolves when something that was told matches. */
  heard(what: RegExp): Promise<string> {
    return until(
      `${what}; it heard ${shown(this.told).slice(0, 2_000)}`,
      () => what.test(shown(this.told)),
      8_000,
    ).then(() => shown(this.told));
  }

  /** All that was seen, buses and their metrics included; ends what was begun. */
  async close(): Promise<string> {
    const printed = this.buses.map(
      (bus) => `${String(bus)}${inspect(bus)}${JSON.stringify(bus.subscriptions)}`,
    );
    await Promise.all(this.buses.map((bus) => bus.stop()));
    for (const close of this.closings.reverse()) await close();
    const metrics = await Promise.all(this.sinks.map(({ registry }) => registry.metrics()));
    const { spans } = this.telemetry;
    await this.telemetry.close();
    return [shown(this.told), ...printed, ...metrics, shown(spans)].join('\n');
  }
}

/** One way to fail, and what shows that it did: of the error that it resolves with, or of the text. */
export interface FailingPath {
  readonly fails: RegExp;
  run(witness: Witness): Promise<unknown>;
}

/** What `work` rejects with; throws where it does not. */
export async function failure(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail');
}
