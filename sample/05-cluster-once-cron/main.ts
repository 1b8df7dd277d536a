import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Journal } from './journal.js';

Logger.log('Two instances tick, and a lock lets one of them do the work of each tick.', 'Sample');

const journal = new Journal();
const start = (instance: number) =>
  NestFactory.createApplicationContext(AppModule.instance(instance, journal), { logger: ['warn', 'error'] });
const instances = await Promise.all([start(1), start(2)]);
for (const app of instances) app.useLogger(['log', 'warn', 'error']);

const ticks = await journal.until(3);
new Logger('Journal').log(`3 ticks\n  ${ticks.slice(0, 3).join('\n  ')}`);

await Promise.all(instances.map((app) => app.close()));
