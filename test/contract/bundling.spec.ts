import { BundlingDriver } from '../../lib/bundling/bundling-driver.js';
import { MemoryBroker, memoryDriver } from '../../lib/drivers/memory/index.js';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';

const broker = new MemoryBroker();

describeDriver('memory, bundled', {
  createDriver: () => new BundlingDriver(memoryDriver({ broker, visibilityTimeout: 100 })),
  visibilityMs: 100,
});
