import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import { AppModule } from './app.module.js';
import { publishGarbage } from './somebody-else.js';
import { Telemetry } from './telemetry.js';

Logger.log(
  'Handlers fail in every way they can; the process lives, and logs, health, traces and metrics tell of each failure.',
  'Sample',
);

const telemetry = new Telemetry();
// Where the Go library's example serves its metrics; PORT=0 for any free port.
const port = Number(process.env.PORT ?? 2112);
const logger = new Logger('Operator');
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(port, '127.0.0.1');
app.useLogger(['log', 'warn', 'error']);
const url = await app.getUrl();

const bus = app.get(DiscoBusService);
const deadLetters = bus.deadLetters('returns');
await deadLetters.purge();
await tellHealth('before anything has failed');

logger.log('1. Logs: each failure is a line with its reason and its trace');
const given = bus.status.pipe(filter((status) => status.type === 'dropped'));
const dropped = firstValueFrom(given.pipe(take(5), toArray()));
const kept = firstValueFrom(bus.status.pipe(filter((status) => status.type === 'dead-letter')));
await bus.publish('orders', { number: 1, item: 'a mirror ball' });
await bus.publish('orders', { number: 2, item: 'a fog machine' }); // the handler throws
await bus.publish('orders', { number: 3, item: 'a glitter bomb' }); // the handler panics
await bus.publish('orders', { number: 4, item: 'a slow dance' }); // the handler takes too long
await bus.publish('orders', { number: 'five', item: 'a typo' }); // the payload does not fit the schema
await publishGarbage('orders'); // not even a message
await bus.publish('orders', { number: 7, item: 'a dance floor' });
const toKeep = { delivery: 'at-least-once' } as const;
await bus.publish('returns', { number: 8, item: 'a broken disco' }, toKeep); // each attempt fails
logger.log(`given up: ${(await dropped).map(({ reason }) => reason).join(', ')}`);
logger.log(`kept as a dead letter: ${(await kept).messageId}`);

logger.log('2. Health: a dead letter is a reason to look');
await tellHealth('with a dead letter');
await deadLetters.purge();
await tellHealth('when somebody has looked after it');

logger.log('3. Traces: what each publish led to; the logs above name the same traces');
await telemetry.ended('process orders', 6);
await telemetry.ended('dead-letter returns');
for (const story of await telemetry.stories()) logger.log(story);

logger.log('4. Metrics: all of it, counted');
const metrics = await (await fetch(`${url}/metrics`)).text();
const counted = metrics.split('\n').filter((line) => /^disco_bus_messages_\w+_total\{.*[1-9]$/.test(line));
logger.log(`GET ${url}/metrics answers\n  ${counted.join('\n  ')}`);

if (port !== 0) {
  logger.log(`Serving ${url}/metrics and ${url}/health for 10 s more; Ctrl-C ends it`);
  await pause(10_000);
}
// A sample leaves nothing behind.
await bus.drain();
await bus.removeGroup('returns', 'warehouse');
await app.close();

/** What Terminus answers of the bus, as far as it is told here. */
interface Told {
  readonly status: string;
  readonly problems?: readonly { readonly text: string }[];
}

async function tellHealth(when: string): Promise<void> {
  const response = await fetch(`${url}/health`);
  const { details } = (await response.json()) as { details: { bus: Told } };
  const { status, problems = [] } = details.bus;
  const why = problems.map(({ text }) => `: ${text}`).join('');
  logger.log(`GET /health answers ${response.status} ${when}: ${status}${why}`);
}
