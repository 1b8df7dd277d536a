import type { LockClaim } from '../../../driver/lock-store.js';

/** A: acquire and wait, T: try to acquire, E: extend, R: release; the small letters in their short form, where there is one. */
export type LockOperationKind = 'A' | 'a' | 't' | 'E' | 'r';

/** The script's argument for an operation on `claim`. */
export function lockOperation(kind: LockOperationKind, claim: LockClaim, floor = 0n, succeeds = ''): string {
  const { mode, keys, token, ttlMs } = claim;
  if (mode === 'exclusive' && keys.length === 1 && floor === 0n) {
    if (kind === 'r') return `r${token}`;
    if (kind === 'a' && succeeds !== '') return `s${token}${succeeds}${ttlMs}`;
    if ((kind === 'a' || kind === 't') && succeeds === '') return kind + token + ttlMs;
  }
  const permits = mode === 'exclusive' ? -1 : claim.permits;
  return `${kind.toUpperCase()} ${keys.length} ${token} ${permits} ${ttlMs} ${floor} ${succeeds}`;
}

/** The script's argument that takes a lock from all who hold it. */
export const forceOperation = 'F 1 0 0 0 0 ';
