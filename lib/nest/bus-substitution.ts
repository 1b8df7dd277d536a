import { AsyncLocalStorage } from 'node:async_hooks';
import type { DiscoBusService } from './disco-bus.service.js';
import type { DiscoBusFactoryOptions } from './module-options.js';

/** Stands in for what an application says of its buses: a test kit's. */
export interface BusSubstitution {
  /** The options of the bus `name`, in place of its own. */
  options(name: string, own: DiscoBusFactoryOptions): DiscoBusFactoryOptions;
  /** The bus is made, and has not started. */
  made(name: string, service: DiscoBusService): void;
}

/** Holds for every bus that a module makes in its context; no entry of the package exports it. */
export const busSubstitution = new AsyncLocalStorage<BusSubstitution>();
