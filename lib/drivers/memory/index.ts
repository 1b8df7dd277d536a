export {
  type MemoryAbandonedOptions,
  MemoryBroker,
  type MemoryBrokerOptions,
  type MemoryUnreadOptions,
  memoryBroker,
} from './memory-broker.js';
export {
  MemoryDriver,
  type MemoryDriverOptions,
  memoryCapabilities,
  memoryDriver,
} from './memory-driver.js';
