// BullMQ: Queue.add → a Worker, over Redis, both within one process.
import { Queue, Worker } from 'bullmq';
import { Alone } from '../harness/alone.mjs';

export async function alone({ port }) {
  const worker = new Alone();
  const connection = { host: '127.0.0.1', port };
  const queue = new Queue('bench', { connection });
  const consumer = new Worker('bench', async () => worker.take(), {
    connection,
    concurrency: 50,
    removeOnComplete: { count: 0 },
  });
  await Promise.all([queue.waitUntilReady(), consumer.waitUntilReady()]);
  worker.publish = (payload) => queue.add('bench', payload, { removeOnComplete: true });
  return worker;
}
