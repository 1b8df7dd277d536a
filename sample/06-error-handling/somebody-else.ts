import { randomUUID } from 'node:crypto';
import type { DiscoDriver } from 'nestjs-disco-bus';
import { memoryBroker, memoryDriver } from 'nestjs-disco-bus/memory';
import { redisDriver } from 'nestjs-disco-bus/redis';

/** A program that knows the topic and not its frames publishes something of its own there. */
export async function publishGarbage(topic: string): Promise<void> {
  const url = process.env.DISCO_BUS_URL;
  const driver: DiscoDriver = url
    ? redisDriver({ url })
    : memoryDriver({ broker: memoryBroker('warehouse') });
  await driver.connect();
  const garbage = Buffer.from('this is no frame');
  await driver.publish(topic, garbage, { delivery: 'at-most-once', id: randomUUID(), timeoutMs: 5_000 });
  await driver.close();
}
