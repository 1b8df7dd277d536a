import { AsyncLocalStorage } from 'node:async_hooks';
import type { Lock } from './lock.js';

const held = new AsyncLocalStorage<Lock>();

/** The lock that the running method holds by `@WithLock`, the innermost of several; undefined outside of one. */
export function currentLock(): Lock | undefined {
  return held.getStore();
}

/** Runs `work` with `lock` as the {@link currentLock}. */
export function underLock<Result>(lock: Lock, work: () => Result): Result {
  return held.run(lock, work);
}
