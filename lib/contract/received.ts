/**
 * What JSON makes of a `T`: a Date is a string, what has `toJSON` is what that returns, methods are gone. `never` stands where
 * JSON has no form: a Map, a Set, an Error, a bigint, a promise.
 */
export type Jsonified<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? T
    : T extends string | number | boolean | null | undefined | Uint8Array
      ? T
      : T extends { toJSON(): infer Form }
        ? Jsonified<Form>
        : T extends Unwritable
          ? never
          : T extends readonly unknown[]
            ? { [Index in keyof T]: Jsonified<T[Index]> }
            : { [Key in keyof T as WrittenKey<T, Key>]: Jsonified<T[Key]> };

/** What JSON has no form for. */
export type Unwritable =
  | bigint
  | symbol
  | Error
  | RegExp
  | ((...args: never[]) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<never, unknown>
  | PromiseLike<unknown>;

/** A key that JSON writes: no symbol, and no method's. */
export type WrittenKey<T, Key extends keyof T> = Key extends symbol
  ? never
  : T[Key] extends ((...args: never[]) => unknown) | symbol
    ? never
    : Key;

/** What arrives of a published `T`: `T` itself where JSON carries it whole. */
export type Received<T> = [T] extends [Jsonified<T>]
  ? [Jsonified<T>] extends [T]
    ? T
    : Jsonified<T>
  : Jsonified<T>;

/** Refuses a schema that takes what never arrives, as `z.date()` or `z.map()` do: JSON makes a string of a Date and has no form for a Map. */
export type Arrives<Input> = [Jsonified<Input>, Input] extends [Input, Jsonified<Input>]
  ? unknown
  : { schema: 'this schema takes values that JSON does not carry, as a Date: let it transform a string' };

/** The same of the schema of a reply. */
export type ReplyArrives<Input> = Arrives<Input> extends { schema: infer Said } ? { reply: Said } : unknown;
