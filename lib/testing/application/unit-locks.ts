import { DiscoBus } from '../../bus/disco-bus.js';
import { memoryDriver } from '../../drivers/memory/memory-driver.js';
import { BusRegistry } from '../../nest/bus-registry.js';
import { DiscoBusService } from '../../nest/disco-bus.service.js';
import { DEFAULT_BUS } from '../../nest/disco-bus.tokens.js';
import { locksOf } from '../../nest/locks/bus-locks.js';
import { BUSES } from '../../nest/locks/with-lock.decorator.js';

/** What {@link withTestLocks} is told. */
export interface TestLocksOptions {
  /** Keys that somebody else holds. @default none */
  held?: readonly string[];
  /** The buses that the class names by `@WithLock(…, { bus })`. @default the one without a name */
  buses?: readonly string[];
}

/**
 * Gives locks of its own, in memory, to an instance that a unit test has made with `new`: its methods with `@WithLock` can be
 * called without an application. Resolves with the instance.
 */
export async function withTestLocks<T extends object>(
  instance: T,
  { held = [], buses = [DEFAULT_BUS] }: TestLocksOptions = {},
): Promise<T> {
  const registry = new BusRegistry();
  for (const name of buses) registry.add(name, await locked(held), {});
  return Object.assign(instance, { [BUSES]: registry });
}

async function locked(held: readonly string[]): Promise<DiscoBusService> {
  const driver = memoryDriver();
  const locks = locksOf({ driver });
  const service = new DiscoBusService(new DiscoBus({ driver, service: 'unit-test' }), locks);
  await service.start();
  await Promise.all(held.map((key) => locks.acquire(key, { autoExtend: true })));
  return service;
}
