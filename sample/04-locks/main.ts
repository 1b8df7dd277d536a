import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { ReportService } from './report.service.js';
import { startSecond } from './second.js';

Logger.log('Two processes want to write one report: the second waits for the lock of the first.', 'Sample');

/** The second one in a process of its own, as there is a Redis between them. */
async function startSecondProcess(): Promise<{ ended: Promise<unknown> }> {
  const child = fork(fileURLToPath(new URL('./second-process.ts', import.meta.url)));
  const ended = once(child, 'exit');
  await once(child, 'message');
  return { ended };
}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
app.useLogger(['log', 'warn', 'error']);

let second: { ended?: Promise<unknown> } = {};
await app.get(ReportService).write('First', async () => {
  second = await (process.env.DISCO_BUS_URL ? startSecondProcess() : startSecond());
});
await second.ended;
await app.close();
