import { types } from 'node:util';

/**
 * What `next` makes of `value`: at once where the value is there, so that nothing else gets in between, else once it comes.
 */
export function after<Value, Result>(
  value: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return types.isPromise(value) ? (value as Promise<Value>).then(next) : next(value as Value);
}
