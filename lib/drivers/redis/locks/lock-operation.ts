import type { LockClaim } from '../../../driver/lock-store.js';

/** A: acquire and wait, T: try to acquire, E: extend, R: release. */
export type LockOperationKind = 'A' | 'T' | 'E' | 'R';

/** The script's argument for an operation on `claim`; the short form where there is one. */
export function lockOperation(kind: LockOperationKind, claim: LockClaim, floor = 0n, succeeds = ''): string {
  const { mode, keys, token, ttlMs } = claim;
  if (mode === 'exclusive' && keys.length === 1 && floor === 0n) {
    if (kind === 'R') return `r${token}`;
    if (kind === 'A' && succeeds !== '') return `s${token}${succeeds}${ttlMs}`;
    if (kind !== 'E' && succeeds === '') return (kind === 'A' ? 'a' : 't') + token + ttlMs;
  }
  const permits = mode === 'exclusive' ? -1 : claim.permits;
  return `${kind} ${keys.length} ${token} ${permits} ${ttlMs} ${floor} ${succeeds}`;
}
