import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { AppModule } from './app.module.js';
import { type Arguments, readArguments, usage } from './arguments.js';
import { renderContext, totalsOf } from './context-file.js';
import { CoordinatorService } from './coordinator.service.js';
import { WorkerService } from './worker.service.js';
import { startWorkers } from './worker-processes.js';

Logger.log('Workers share the files of a tree, and a lock guards the one report that they write.', 'Sample');

async function run({ directory, workers, out, ...wanted }: Arguments): Promise<void> {
  const logger = new Logger('Contexter');
  const roles = workers > 0 ? [CoordinatorService] : [CoordinatorService, WorkerService];
  const app = await NestFactory.createApplicationContext(AppModule.of(...roles), {
    logger: ['warn', 'error'],
  });
  app.useLogger(['log', 'warn', 'error']);
  const stopWorkers = await startWorkers(workers);
  const scratch = await mkdtemp(join(tmpdir(), 'contexter-'));
  try {
    const survey = await app.get(CoordinatorService).survey(directory, wanted, join(scratch, 'report.json'));
    await writeFile(out, renderContext(basename(directory), survey));
    const { problems, ...totals } = totalsOf(survey);
    for (const { path, problem } of problems) logger.warn(`${path}: ${problem}`);
    const told = Object.entries(totals).map(([name, count]) => `${count} ${name}`);
    logger.log(`${told.join(', ')}, ${problems.length} problems → ${out}`);
  } finally {
    await rm(scratch, { recursive: true });
    await stopWorkers();
    await leaveNothing(app.get(DiscoBusService));
    await app.close();
  }
}

/** Topics and groups of this run are nobody's when it is over. */
async function leaveNothing(bus: DiscoBusService): Promise<void> {
  await bus.drain();
  for (const topic of ['contexter.files', 'contexter.progress']) {
    await bus
      .removeGroup(topic, 'contexter')
      .catch((error: Error) => new Logger('Contexter').warn(error.message));
  }
}

try {
  await run(readArguments(process.argv.slice(2)));
} catch (error) {
  console.error(`${(error as Error).message}\n\n${usage}`);
  process.exitCode = 1;
}
