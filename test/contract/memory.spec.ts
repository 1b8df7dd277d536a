import { MemoryBroker, memoryDriver } from '../../lib/drivers/memory/index.js';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

const openTimers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

const broker = new MemoryBroker({ maxDeadLetters: 5 });
describeDriver('memory', {
  createDriver: () => memoryDriver({ broker, visibilityTimeout: 100 }),
  topicAgreements: true,
  inspection: true,
  watchTurns: true,
  release: true,
  steering: true,
  visibilityMs: 100,
  maxDeadLetters: 5,
  openHandles: openTimers,
});

const clock = new ManualClock();
const timed = new MemoryBroker({ clock, maxDeadLetters: 5 });
describeDriver('memory on a manual clock', {
  createDriver: () => memoryDriver({ broker: timed }),
  topicAgreements: true,
  inspection: true,
  watchTurns: true,
  release: true,
  steering: true,
  visibilityMs: 30_000,
  maxDeadLetters: 5,
  clock,
  openHandles: () => clock.pending,
});

describeDriver('memory, each driver alone', {
  createDriver: () => memoryDriver({ clock, maxDeadLetters: 5 }),
  brokerShared: false,
  inspection: true,
  watchTurns: true,
  release: true,
  steering: true,
  visibilityMs: 30_000,
  maxDeadLetters: 5,
  clock,
});
