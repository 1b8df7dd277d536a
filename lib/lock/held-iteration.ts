import { finished, type Readable } from 'node:stream';
import { LockLostError } from '../errors/lock.errors.js';
import { underLock } from './current-lock.js';
import { ttlOf } from './held-lock.js';
import type { Lock } from './lock.js';

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

/** What a method may return that works only when it is read, other than an Observable. */
export type Readings = AsyncIterable<unknown> | Generator<unknown>;

/** Whether `value` works only when it is read: an AsyncIterable of any kind, or a generator. */
export function isReadings(value: unknown): value is Readings {
  if (typeof value !== 'object' || value === null) return false;
  const isGenerator = Object.prototype.toString.call(value) === '[object Generator]';
  return (
    isGenerator || typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  );
}

/**
 * `source`, which holds `lock` until it is read to its end, fails or is left. Can be read once. If nobody begins to within
 * the lock's ttl, the lock is released and reading is a LockLostError.
 */
export function heldReadings(lock: Lock, source: Readings, giveBack: (lock: Lock) => Promise<void>): unknown {
  if (isNodeStream(source)) return heldNodeStream(lock, source);
  const held = new HeldIteration(lock, source, giveBack);
  if (typeof ReadableStream !== 'undefined' && source instanceof ReadableStream) {
    return ReadableStream.from(held.iterable());
  }
  return new Proxy<object>(source, {
    get(target, name) {
      if (name === Symbol.asyncIterator && Symbol.asyncIterator in target) return () => held.asyncIterator();
      if (name === Symbol.iterator && Symbol.iterator in target) return () => held.iterator();
      const steps = Symbol.asyncIterator in target ? held.asyncIterator() : held.iterator();
      if (name in target && (name === 'next' || name === 'return' || name === 'throw')) return steps[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Every step of an iteration under its lock. */
class HeldIteration {
  private readonly unused: NodeJS.Timeout;
  private opened: AnyIterator | undefined;
  private ended = false;

  constructor(
    private readonly lock: Lock,
    private readonly source: Readings,
    private readonly giveBack: (lock: Lock) => Promise<void>,
  ) {
    this.unused = setTimeout(() => void this.leave(), ttlOf(lock)).unref();
  }

  iterable(): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => this.asyncIterator() };
  }

  asyncIterator(): Required<AsyncIterator<unknown>> & AsyncIterable<unknown> {
    const iterator = {
      next: (value?: unknown) => this.step((source) => source.next(value)),
      return: (value?: unknown) =>
        this.step((source) => source.return?.(value) ?? { done: true, value }, false),
      throw: (error?: unknown) => this.step((source) => source.throw?.(error) ?? Promise.reject(error)),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Its end releases the lock, and waits for nothing. */
  iterator(): Required<Iterator<unknown>> & Iterable<unknown> {
    const iterator = {
      next: (value?: unknown) => this.stepNow((source) => source.next(value)),
      return: (value?: unknown) => this.stepNow((source) => source.return!(value), false),
      throw: (error?: unknown) => this.stepNow((source) => source.throw!(error)),
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  private async step(
    take: (source: AnyIterator) => IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>>,
    needsLock = true,
  ): Promise<IteratorResult<unknown>> {
    let result: IteratorResult<unknown>;
    try {
      const iterator = this.begin(needsLock);
      result = await underLock(this.lock, () => take(iterator));
    } catch (error) {
      await this.leave();
      throw error;
    }
    if (result.done && !this.ended) {
      this.ended = true;
      await this.giveBack(this.lock);
    }
    return result;
  }

  private stepNow(
    take: (source: Iterator<unknown>) => IteratorResult<unknown>,
    needsLock = true,
  ): IteratorResult<unknown> {
    try {
      const iterator = this.begin(needsLock) as Iterator<unknown>;
      const result = underLock(this.lock, () => take(iterator));
      if (result.done) void this.leave();
      return result;
    } catch (error) {
      void this.leave();
      throw error;
    }
  }

  /** The source's iterator. What has ended goes on ending, without the lock. */
  private begin(needsLock: boolean): AnyIterator {
    clearTimeout(this.unused);
    if (needsLock && !(this.ended && this.opened)) this.lock.assertValid();
    this.opened ??= underLock(this.lock, () =>
      Symbol.asyncIterator in this.source
        ? this.source[Symbol.asyncIterator]()
        : this.source[Symbol.iterator](),
    );
    return this.opened;
  }

  private async leave(): Promise<void> {
    this.ended = true;
    await this.lock[Symbol.asyncDispose]();
  }
}

function isNodeStream(source: object): source is Readable {
  const { pipe, destroy } = source as Partial<Readable>;
  return typeof pipe === 'function' && typeof destroy === 'function';
}

/** The stream itself: it fails when the lock is lost, or when nobody reads it in time. */
function heldNodeStream(lock: Lock, source: Readable): Readable {
  const fail = (error: unknown) => void source.destroy(error as Error);
  const lost = () => fail(lock.signal.reason);
  const unused = setTimeout(() => {
    if (!source.readableDidRead && !source.readableFlowing) fail(new LockLostError(lock.keys));
  }, ttlOf(lock)).unref();
  lock.signal.addEventListener('abort', lost, { once: true });
  finished(source, { writable: false }, () => {
    clearTimeout(unused);
    lock.signal.removeEventListener('abort', lost);
    void lock[Symbol.asyncDispose]();
  });
  return source;
}
