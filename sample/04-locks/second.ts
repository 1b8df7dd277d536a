import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { ReportService } from './report.service.js';

/** An application of its own that wants to write the same report. Resolves when it has asked for the lock. */
export async function startSecond(): Promise<{ ended: Promise<unknown> }> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
  app.useLogger(['log', 'warn', 'error']);
  new Logger('Second').log('waits for its turn');
  const written = app.get(ReportService).write('Second');
  return { ended: written.then(() => app.close()) };
}
