import { threadId, workerData } from 'node:worker_threads';
import { DiscoBus } from 'nestjs-disco-bus';
import { BroadcastDriver } from './broadcast.driver.js';

/** A thread of the same process, with a bus of its own. */
const bus = new DiscoBus({ driver: new BroadcastDriver() });
await bus.start();
await bus.publish('measured', { celsius: workerData, thread: threadId });
await bus.stop();
