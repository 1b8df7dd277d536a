import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { WorkerService } from './worker.service.js';

/** One worker process: works until the coordinator is gone. */
const app = await NestFactory.createApplicationContext(AppModule.of(WorkerService), {
  logger: ['warn', 'error'],
});
process.once('disconnect', () => void app.close());
process.send?.('ready');
