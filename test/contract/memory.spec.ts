import { MemoryBroker, memoryDriver } from '../../lib/drivers/memory/index.js';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

const openTimers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

const broker = new MemoryBroker();
describeDriver('memory', {
  createDriver: () => memoryDriver({ broker, visibilityTimeout: 100 }),
  topicAgreements: true,
  visibilityMs: 100,
  openHandles: openTimers,
});

const clock = new ManualClock();
const timed = new MemoryBroker({ clock });
describeDriver('memory on a manual clock', {
  createDriver: () => memoryDriver({ broker: timed }),
  topicAgreements: true,
  visibilityMs: 30_000,
  clock,
  openHandles: () => clock.pending,
});

describeDriver('memory, each driver alone', {
  createDriver: () => memoryDriver({ clock }),
  brokerShared: false,
  visibilityMs: 30_000,
  clock,
});
