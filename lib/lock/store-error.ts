import { type DiscoBusError, isDiscoBusError } from '../errors/disco-bus-error.js';
import { LockUnavailableError } from '../errors/lock.errors.js';

/** Errors of this package as they are; whatever else a store threw as LockUnavailableError. */
export function asLockError(error: unknown): DiscoBusError {
  if (isDiscoBusError(error)) return error;
  return new LockUnavailableError('The lock store failed', { cause: error });
}
