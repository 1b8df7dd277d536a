import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { AppModule } from './app.module.js';
import type { Meal } from './kitchen.service.js';

/** What of the overview is told here. */
interface Shown {
  readonly topic: string;
  readonly groups: readonly {
    readonly group: string;
    readonly waiting: number;
    readonly deadLetters: number;
  }[];
}

Logger.log('A dashboard, over traffic that fails, is tried again and waits.', 'Sample');

const app = await NestFactory.create(AppModule, { logger: ['error'] });
// The line that says where the dashboard is comes from the module.
app.useLogger(['log', 'error']);
await app.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
const bus = app.get<DiscoBusService<{ meals: Meal; dishes: Meal }>>(DiscoBusService);

// Until Ctrl-C, or for so many seconds.
const ended = new AbortController();
process.once('SIGINT', () => ended.abort());
if (process.env.SECONDS !== undefined)
  AbortSignal.timeout(Number(process.env.SECONDS) * 1_000).addEventListener('abort', () => ended.abort());
const lock = await bus.locks.acquire('oven', { autoExtend: true });
for (let number = 1; !ended.signal.aborted; number++) {
  await bus.publish('meals', { number });
  await bus.publish('dishes', { number });
  await pause(100, undefined, { signal: ended.signal }).catch(() => undefined);
}

// What the page shows, as its API tells it.
const logger = new Logger('Client');
const answer = await fetch(`${await app.getUrl()}/disco/api/overview`);
const { topics } = (await answer.json()) as { topics: Shown[] };
for (const { topic, groups } of topics) {
  const [{ group, waiting, deadLetters }] = groups;
  logger.log(
    `${topic}: ${group} has ${waiting > 0 ? 'messages that wait' : 'nothing that waits'}, ${deadLetters > 0 ? 'dead letters' : 'no dead letter'}`,
  );
}

// A sample leaves nothing behind.
await lock.release();
await bus.drain();
for (const topic of ['meals', 'dishes'] as const)
  await bus.admin.removeGroup(topic, 'kitchen', { discard: true });
for (const topic of ['meals', 'dishes'] as const) await bus.admin.purgeTopic(topic).catch(() => 0);
await app.close();
