import type { DriverStatusListeners } from '../../driver/driver-status.js';
import { ClosedError } from '../../errors/bus.errors.js';
import type { ResolvedRedisOptions } from './redis-options.js';
import type { RedisSession } from './redis-session.js';

/** What a driver keeps to itself. */
export interface RedisDriverState {
  readonly options: ResolvedRedisOptions;
  readonly listeners: DriverStatusListeners;
  session?: RedisSession;
  opening?: RedisSession;
  connecting?: Promise<void>;
  closing?: Promise<void>;
}

/** What a driver that was closed says. */
export function closed(): ClosedError {
  return new ClosedError('The Redis driver is closed');
}
