export {
  type MemoryAbandonedOptions,
  MemoryBroker,
  type MemoryBrokerOptions,
  type MemoryUnreadOptions,
  memoryBroker,
} from './memory-broker.js';
export { memoryCapabilities } from './memory-capabilities.js';
export { MemoryDriver, memoryDriver } from './memory-driver.js';
export type { MemoryDriverOptions } from './memory-driver-options.js';
