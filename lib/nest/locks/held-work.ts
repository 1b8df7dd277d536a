import { concat, defer, finalize, ignoreElements, isObservable, Observable } from 'rxjs';
import { LockLostError } from '../../errors/lock.errors.js';
import { underLock } from '../../lock/current-lock.js';
import { heldReadings, isReadings } from '../../lock/held-iteration.js';
import { giveBackLater, ttlOf } from '../../lock/held-lock.js';
import type { Lock } from '../../lock/lock.js';

/**
 * Runs `work` under `lock` and releases it in the end, whatever happens. An error of the work is thrown as it is; when
 * the work succeeded but the lock was lost meanwhile, rejects with LockLostError. An Observable that the work returns
 * holds the lock until it ends or is unsubscribed; an AsyncIterable or a generator until it is read to its end or left.
 */
export async function whileHeld(lock: Lock, work: () => unknown): Promise<unknown> {
  let result: unknown;
  try {
    result = await underLock(lock, work);
  } catch (error) {
    await abandon(lock);
    throw error;
  }
  if (isObservable(result)) return heldStream(lock, result);
  if (isReadings(result)) return heldReadings(lock, result, giveBack);
  await giveBack(lock);
  return result;
}

/** Can be subscribed once. If nobody does so within the lock's ttl, the lock is released. */
function heldStream<Value>(lock: Lock, source: Observable<Value>): Observable<Value> {
  const unused = setTimeout(() => void abandon(lock), ttlOf(lock)).unref();
  const within = new Observable<Value>((subscriber) => underLock(lock, () => source.subscribe(subscriber)));
  const released = defer(() => giveBack(lock)).pipe(ignoreElements());
  return defer(() => {
    clearTimeout(unused);
    lock.assertValid();
    return concat(within, released as Observable<never>).pipe(finalize(() => void abandon(lock)));
  });
}

/** When the release of a valid lock fails for want of an answer, the work has still been done, and the lock is given back later. */
async function giveBack(lock: Lock): Promise<void> {
  const valid = lock.isValid();
  await lock.release().catch((error: unknown) => {
    if (error instanceof LockLostError) throw error;
    if (!valid) throw new LockLostError(lock.keys, { cause: error });
    giveBackLater(lock, error);
  });
}

async function abandon(lock: Lock): Promise<void> {
  await lock[Symbol.asyncDispose]();
}
