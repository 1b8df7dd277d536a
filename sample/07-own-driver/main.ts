import 'reflect-metadata';
import { Worker } from 'node:worker_threads';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusModule, DiscoSubscribe } from 'nestjs-disco-bus';
import { checkDriver } from 'nestjs-disco-bus/testing';
import { firstValueFrom, Subject, take, toArray } from 'rxjs';
import { BroadcastDriver } from './broadcast.driver.js';

Logger.log(
  "A driver of one's own, between threads: it moves messages, and is put through the contract suite.",
  'Sample',
);

class Station {
  private readonly logger = new Logger('Main thread');
  readonly measurements = new Subject<number>();

  @DiscoSubscribe('measured')
  measured({ celsius, thread }: { celsius: number; thread: number }): void {
    this.logger.log(`thread ${thread} measured ${celsius} °C`);
    this.measurements.next(celsius);
  }
}

@Module({
  imports: [DiscoBusModule.forRoot({ driver: new BroadcastDriver() })],
  providers: [Station],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
app.useLogger(['log', 'warn', 'error']);
const both = firstValueFrom(app.get(Station).measurements.pipe(take(2), toArray()));
for (const celsius of [19, 21]) new Worker(new URL('./thread.ts', import.meta.url), { workerData: celsius });
await both;
await app.close();

// In your tests: describeDriver('broadcast', { createDriver: () => new BroadcastDriver() })
const results = await checkDriver({ createDriver: () => new BroadcastDriver() });
const count = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length;
const logger = new Logger('Contract');
logger.log(
  `${count('passed')} cases passed, ${count('failed')} failed, ${count('skipped')} need what it does not offer`,
);
for (const { id, outcome, reason } of results) if (outcome === 'failed') logger.error(`${id}: ${reason}`);
process.exitCode = count('failed') === 0 ? 0 : 1;
