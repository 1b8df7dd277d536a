import { type DiscoBusError, isDiscoBusError } from '../errors/disco-bus-error.js';
import { LockUnavailableError } from '../errors/lock.errors.js';

/** Errors of this package as they are; whatever else a store threw as LockUnavailableError. */
export function asLockError(error: unknown): DiscoBusError {
  if (isDiscoBusError(error)) return error;
  return new LockUnavailableError('The lock store failed', { cause: error });
}

/** Whether asking the store again may help: it could not be asked for now, and was not refused for want of a right. */
export function isPassing(error: DiscoBusError): boolean {
  if (error.code !== 'DISCO_LOCK_UNAVAILABLE') return false;
  return !(isDiscoBusError(error.cause, 'DISCO_DRIVER') && !error.cause.retryable);
}
