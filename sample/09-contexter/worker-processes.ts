import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Logger } from '@nestjs/common';

const logger = new Logger('Workers');

/** Starts so many worker processes; resolves, with what stops them, when all of them are at work. */
export async function startWorkers(count: number): Promise<() => Promise<void>> {
  const workers = await Promise.all(Array.from({ length: count }, (_, index) => startWorker(index + 1)));
  return async () => {
    await Promise.all(workers.map(stopWorker));
  };
}

async function startWorker(number: number): Promise<ChildProcess> {
  const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)));
  worker.once('exit', (code, signal) => {
    if (code !== 0) logger.log(`worker ${number} ended by ${signal ?? code}; the others go on`);
  });
  await Promise.race([once(worker, 'message'), failed(worker)]);
  logger.log(`worker ${number} is process ${worker.pid}`);
  return worker;
}

async function failed(worker: ChildProcess): Promise<never> {
  await once(worker, 'exit');
  throw new Error('A worker did not start');
}

async function stopWorker(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  worker.disconnect();
  await once(worker, 'exit');
}
