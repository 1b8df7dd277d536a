import 'reflect-metadata';
import { ConfigurationError } from '../../errors/bus.errors.js';

/** What a decorator is put on. */
export interface Decorated {
  readonly target: object;
  readonly method: string | symbol;
  readonly descriptor: TypedPropertyDescriptor<any> | undefined;
}

/** What a decorator has noted on methods; several on one method stand in the order written. */
export class MethodMarks<Mark> {
  constructor(private readonly key: string) {}

  /** Throws ConfigurationError for what is no method of instances. */
  add(decorator: string, { target, method, descriptor }: Decorated, mark: Mark): void {
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      throw new ConfigurationError(`${decorator} is for methods of instances; ${String(method)} is none`);
    }
    const others: Mark[] = Reflect.getOwnMetadata(this.key, target, method) ?? [];
    Reflect.defineMetadata(this.key, [mark, ...others], target, method);
  }

  /** They belong to the class that declares the method last. */
  of(prototype: object, method: string): readonly Mark[] {
    for (let owner = prototype; owner !== null; owner = Object.getPrototypeOf(owner)) {
      if (Object.hasOwn(owner, method)) return Reflect.getOwnMetadata(this.key, owner, method) ?? [];
    }
    return [];
  }
}
