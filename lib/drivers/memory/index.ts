export {
  type MemoryAbandonedOptions,
  MemoryBroker,
  type MemoryBrokerOptions,
  type MemoryUnreadOptions,
  memoryBroker,
} from './memory-broker.js';
export { memoryCapabilities } from './memory-capabilities.js';
export { MemoryDriver, type MemoryDriverOptions, memoryDriver } from './memory-driver.js';
