import 'reflect-metadata';
import { Inject, Optional } from '@nestjs/common';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { BusRegistry } from '../bus-registry.js';
import { lockBusyInterceptor } from './lock-busy.interceptor.js';
import type { LockKey } from './lock-key.js';
import { LockedMethod, type WithLockOptions } from './locked-method.js';

/** Where an instance keeps the buses of its application. Nest puts them there, as with any injected property. */
export const BUSES = Symbol('disco-bus:buses');

const LOCKED = 'disco-bus:locked';
const INTERCEPTORS = '__interceptors__';

type Method = (this: object, ...args: unknown[]) => unknown;

/**
 * Runs the method while its lock is held: on any provider or controller of any scope, in any order with other
 * decorators, also when it is called directly. The method then returns a Promise. What it returns to be read (an
 * Observable, an AsyncIterable such as a stream, a generator) holds the lock until it is read to its end or left; an
 * `async *` method returns its generator as before, and takes the lock when somebody begins to read. What a generator method
 * returns has to be awaited; it takes the lock then. `key` is a key, a template such as
 * `'order:{0.id}'` (argument and property), several of them (taken all or none), or a function of the arguments.
 * The lock is extended while the method runs and released when it has ended; within, `currentLock()` is the lock.
 *
 * The call rejects with LockNotAcquiredError when somebody else holds the lock (over HTTP 423, over RPC its code) and as
 * LockManager.using does otherwise; with ConfigurationError, nothing being locked, when the template names an argument
 * that is absent, or when the class has no started `DiscoBusModule` around it. Throws ConfigurationError for a malformed
 * template or option where it is written.
 */
export function WithLock(key: LockKey, options: WithLockOptions = {}): MethodDecorator {
  const locked = new LockedMethod(key, options);
  return (target, name, descriptor: TypedPropertyDescriptor<any>) => {
    const original: Method | undefined = descriptor?.value;
    if (typeof target === 'function' || typeof original !== 'function') {
      throw new ConfigurationError(`@WithLock is for methods of instances; ${String(name)} is none`);
    }
    const label = `${target.constructor.name}.${String(name)}`;
    const wrapper = function (this: { [BUSES]?: BusRegistry }, ...args: unknown[]) {
      const work = () => original.apply(this, args);
      if (isFunctionOf('AsyncGenerator', original))
        return locked.read(this?.[BUSES], label, args, work as never);
      const run = () => locked.run(this?.[BUSES], label, args, work);
      return isFunctionOf('Generator', original) ? new OnceAwaited(run, label) : run();
    };
    passFor(wrapper, original);
    descriptor.value = wrapper;
    injectBuses(target);
  };
}

/** Whether its callers read at once what it returns, and do not wait for it before: so with generator methods. */
function isFunctionOf(kind: 'AsyncGenerator' | 'Generator', method: Method): boolean {
  return Object.prototype.toString.call(method) === `[object ${kind}Function]`;
}

/** A promise whose work begins when somebody awaits it: a generator that is never awaited takes no lock. */
class OnceAwaited implements PromiseLike<unknown> {
  private running: Promise<unknown> | undefined;

  constructor(
    private readonly run: () => Promise<unknown>,
    private readonly label: string,
  ) {}

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  then<A = unknown, B = never>(
    fulfilled?: ((value: unknown) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.running ??= this.run();
    return this.running.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<unknown> {
    return this.then(undefined, rejected);
  }

  finally(ended?: (() => void) | null): Promise<unknown> {
    return this.then().finally(ended);
  }

  [Symbol.iterator](): never {
    throw new ConfigurationError(
      `${this.label} waits for its lock: await what it returns, and read that, or make it \`async *\``,
    );
  }
}

/** Whether methods of `instance` are decorated with `@WithLock`. */
export function hasLockedMethods(instance: object): boolean {
  return Reflect.hasMetadata(LOCKED, instance);
}

/** Gives `wrapper` the name, length, other properties and metadata of `original`: whoever looks at it finds what was decorated. */
function passFor(wrapper: Function, original: Function): void {
  const { prototype: _, ...properties } = Object.getOwnPropertyDescriptors(original);
  Object.defineProperties(wrapper, properties);
  for (const key of Reflect.getOwnMetadataKeys(original)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), wrapper);
  }
  // The method's other interceptors come within, and see the error as it was thrown.
  const others = Reflect.getOwnMetadata(INTERCEPTORS, original) ?? [];
  if (others.includes(lockBusyInterceptor)) return;
  Reflect.defineMetadata(INTERCEPTORS, [lockBusyInterceptor, ...others], wrapper);
}

/** Every instance is given the buses of the application that makes it: nothing is shared between two applications. */
function injectBuses(prototype: object): void {
  if (!Reflect.hasMetadata(LOCKED, prototype)) {
    Inject(BusRegistry)(prototype, BUSES);
    Optional()(prototype, BUSES);
  }
  Reflect.defineMetadata(LOCKED, true, prototype);
}
