import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Delivery } from '../../../lib/driver/delivery.js';
import type { DriverPublishOptions, DriverSubscribeOptions } from '../../../lib/driver/driver.js';
import { Drivers, Inbox } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';

/** What the specs of one `describe` work with; there from the first test on. */
export interface StreamsStage {
  readonly drivers: Drivers;
  server: RedisServer;
  /** A plain client of the same server. */
  admin: Redis;
}

/** A server for the `describe` that this is called in; after each test the drivers are closed and it is emptied. */
export function streamsStage(): StreamsStage {
  const stage = { drivers: new Drivers() } as StreamsStage;
  beforeAll(async () => {
    stage.server = await RedisServer.start();
    stage.admin = new Redis(stage.server.url);
  });
  afterEach(async () => {
    await stage.drivers.close();
    await stage.admin.flushall();
  });
  afterAll(async () => {
    stage.admin.disconnect();
    await stage.server.stop();
  });
  return stage;
}

/** An inbox that acknowledges. */
export function acknowledging(): { inbox: Inbox; take: (delivery: Delivery) => void } {
  const inbox = new Inbox();
  const take = (delivery: Delivery) => {
    inbox.take(delivery);
    delivery.ack().catch(() => undefined);
  };
  return { inbox, take };
}

/** How the specs subscribe, but for what a spec changes. */
export function member(changes: Partial<DriverSubscribeOptions> = {}): DriverSubscribeOptions {
  return { delivery: 'at-least-once', group: 'g', maxInFlight: 10, startFrom: 'beginning', ...changes };
}

/** How the specs publish, but for what a spec changes. */
export function stored(changes: Partial<DriverPublishOptions> = {}): DriverPublishOptions {
  return { delivery: 'at-least-once', id: randomUUID(), timeoutMs: 5_000, ...changes };
}

export const textOf = ({ frame }: Delivery): string => Buffer.from(frame).toString();
