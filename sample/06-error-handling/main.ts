import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import { AppModule } from './app.module.js';
import { publishGarbage } from './somebody-else.js';

Logger.log(
  'Handlers fail in every way they can; the process lives, and each failure is counted and told.',
  'Sample',
);

// Where the Go library's example serves its metrics; PORT=0 for any free port.
const port = Number(process.env.PORT ?? 2112);
const logger = new Logger('Operator');
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(port, '127.0.0.1');
app.useLogger(['log', 'warn', 'error']);

const bus = app.get(DiscoBusService);
const given = bus.status.pipe(filter((status) => status.type === 'dropped'));
const dropped = firstValueFrom(given.pipe(take(5), toArray()));

await bus.publish('orders', { number: 1, item: 'a mirror ball' });
await bus.publish('orders', { number: 2, item: 'a fog machine' }); // the handler throws
await bus.publish('orders', { number: 3, item: 'a glitter bomb' }); // the handler panics
await bus.publish('orders', { number: 4, item: 'a slow dance' }); // the handler takes too long
await bus.publish('orders', { number: 'five', item: 'a typo' }); // the payload does not fit the schema
await publishGarbage('orders'); // not even a message
await bus.publish('orders', { number: 7, item: 'a dance floor' });

logger.log(`given up: ${(await dropped).map(({ reason }) => reason).join(', ')}`);
const url = `${await app.getUrl()}/metrics`;
const metrics = await (await fetch(url)).text();
const counted = metrics.split('\n').filter((line) => /^disco_bus_messages_\w+_total\{/.test(line));
logger.log(`GET ${url} answers\n  ${counted.join('\n  ')}`);

if (port !== 0) {
  logger.log(`Serving ${url} for 10 s more; Ctrl-C ends it`);
  await pause(10_000);
}
await app.close();
