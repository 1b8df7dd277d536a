import { randomUUID } from 'node:crypto';
import type { Delivery } from '../../lib/driver/delivery.js';
import type { DriverPublishOptions, DriverSubscribeOptions } from '../../lib/driver/driver.js';
import type { DriverStatus } from '../../lib/driver/driver-status.js';
import { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import type { RedisDriverOptions } from '../../lib/drivers/redis/redis-options.js';

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
  readonly deliveries: Delivery[] = [];
  private readonly waiters = new Set<() => void>();

  readonly take = (delivery: Delivery): void => {
    this.deliveries.push(delivery);
    for (const waiter of this.waiters) waiter();
  };

  get texts(): string[] {
    return this.deliveries.map(({ frame }) => Buffer.from(frame).toString());
  }

  /** Resolves when `count` deliveries have come in all; rejects after `timeoutMs`. */
  received(count: number, timeoutMs = 10_000): Promise<Delivery[]> {
    return this.until(
      () => this.deliveries.length >= count,
      timeoutMs,
      () => `${count} deliveries, got ${this.deliveries.length}`,
    );
  }

  /** Resolves when a frame with that text has come. */
  gets(text: string, timeoutMs = 10_000): Promise<Delivery[]> {
    return this.until(
      () => this.texts.includes(text),
      timeoutMs,
      () => `"${text}"`,
    );
  }

  private until(done: () => boolean, timeoutMs: number, what: () => string): Promise<Delivery[]> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.waiters.delete(check);
        resolve(this.deliveries);
      };
      const timer = setTimeout(() => {
        this.waiters.delete(check);
        reject(new Error(`waited for ${what()}`));
      }, timeoutMs);
      this.waiters.add(check);
      check();
    });
  }
}

/** The statuses of a driver, and a way to wait for the next of a kind. */
export class StatusLog {
  readonly statuses: DriverStatus[] = [];
  private readonly waiters = new Set<() => void>();

  constructor(driver: RedisDriver) {
    driver.onStatus((status) => {
      this.statuses.push(status);
      for (const waiter of this.waiters) waiter();
    });
  }

  of<Type extends DriverStatus['type']>(type: Type): Extract<DriverStatus, { type: Type }>[] {
    return this.statuses.filter(
      (status): status is Extract<DriverStatus, { type: Type }> => status.type === type,
    );
  }

  /** Resolves when `count` statuses of that type have come in all. */
  async seen(type: DriverStatus['type'], count = 1, timeoutMs = 15_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const check = () => {
        if (this.of(type).length < count) return;
        clearTimeout(timer);
        this.waiters.delete(check);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiters.delete(check);
        reject(new Error(`waited for ${count} × ${type}, got ${this.statuses.map((s) => s.type).join(' ')}`));
      }, timeoutMs);
      this.waiters.add(check);
      check();
    });
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
