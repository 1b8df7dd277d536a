// BullMQ: Queue.add or addBulk → a Worker, 50 at a time, over Redis; completed jobs are removed at once.
import { Queue, Worker } from 'bullmq';
import { Alone } from '../harness/alone.mjs';

const NAME = 'bench';
const opts = { removeOnComplete: true };
const connectionOf = ({ port }) => ({ host: '127.0.0.1', port });

/** Resolves with a function that adds a job; its `bulk` adds several. */
export async function publisher(options) {
  const queue = new Queue(NAME, { connection: connectionOf(options) });
  await queue.waitUntilReady();
  const publish = (payload) => queue.add(NAME, payload, opts);
  return Object.assign(publish, {
    bulk: (payloads) => queue.addBulk(payloads.map((data) => ({ name: NAME, data, opts }))),
  });
}

/** Resolves when the worker listens; it hands each job's data to `take`. */
export async function consumer(options, take) {
  const settings = { concurrency: 50, removeOnComplete: { count: 0 } };
  const worker = new Worker(NAME, async ({ data }) => take(data), {
    connection: connectionOf(options),
    ...settings,
  });
  await worker.waitUntilReady();
}

/** Both within this process. */
export async function alone(options) {
  const worker = new Alone();
  await consumer(options, () => worker.take());
  worker.publish = await publisher(options);
  return worker;
}
