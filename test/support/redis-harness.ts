import { randomUUID } from 'node:crypto';
import type { Delivery } from '../../lib/driver/delivery.js';
import type { DriverPublishOptions, DriverSubscribeOptions } from '../../lib/driver/driver.js';
import type { DriverStatus } from '../../lib/driver/driver-status.js';
import { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import type { RedisDriverOptions } from '../../lib/drivers/redis/redis-options.js';
import { Collector } from './collector.js';

/** How the specs subscribe. */
export const fanOut: DriverSubscribeOptions = {
  delivery: 'at-most-once',
  group: 'test',
  maxInFlight: 100,
  startFrom: 'new',
};

/** How the specs publish, but for what a spec changes. */
export function once(changes: Partial<DriverPublishOptions> = {}): DriverPublishOptions {
  return { delivery: 'at-most-once', id: randomUUID(), timeoutMs: 5_000, ...changes };
}

export const bytes = (text: string): Buffer => Buffer.from(text);

/** Deliveries of a subscription, and a way to wait for so many. */
export class Inbox {
  private readonly collected = new Collector<Delivery>();
  readonly deliveries: Delivery[] = this.collected.values;
  readonly take: (delivery: Delivery) => void = this.collected.add;

  get texts(): string[] {
    return this.deliveries.map(({ frame }) => Buffer.from(frame).toString());
  }

  /** Resolves when `count` deliveries have come in all; rejects after `timeoutMs`. */
  received(count: number, timeoutMs = 10_000): Promise<Delivery[]> {
    return this.collected.has(count, timeoutMs);
  }

  /** Resolves when a frame with that text has come. */
  gets(text: string, timeoutMs = 10_000): Promise<Delivery[]> {
    return this.collected.when(() => this.texts.includes(text), `"${text}"`, timeoutMs);
  }
}

/** The statuses of a driver, and a way to wait for the next of a kind. */
export class StatusLog {
  private readonly collected = new Collector<DriverStatus>();
  readonly statuses: DriverStatus[] = this.collected.values;

  constructor(driver: RedisDriver) {
    driver.onStatus(this.collected.add);
  }

  of<Type extends DriverStatus['type']>(type: Type): Extract<DriverStatus, { type: Type }>[] {
    return this.statuses.filter(
      (status): status is Extract<DriverStatus, { type: Type }> => status.type === type,
    );
  }

  /** Resolves when `count` statuses of that type have come in all. */
  async seen(type: DriverStatus['type'], count = 1, timeoutMs = 15_000): Promise<void> {
    await this.collected.when(() => this.of(type).length >= count, `${count} × ${type}`, timeoutMs);
  }
}

/** Makes drivers and closes them after each test. */
export class Drivers {
  private readonly made: RedisDriver[] = [];

  make(options: RedisDriverOptions): RedisDriver {
    const driver = new RedisDriver(options);
    this.made.push(driver);
    return driver;
  }

  async connected(options: RedisDriverOptions): Promise<RedisDriver> {
    const driver = this.make(options);
    await driver.connect();
    return driver;
  }

  async close(): Promise<void> {
    await Promise.all(this.made.splice(0).map((driver) => driver.close()));
  }
}

/** The error that `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error('it did not reject');
}
