import { assertOptions } from '../errors/assert-options.js';
import { aDuration, aMoment, anObject, aSignal, aString, type OptionKinds } from '../errors/option-kinds.js';
import type { Duration } from '../timing/duration.js';

/** What is said of one message beside its data. */
export interface DiscoRecordOptions {
  /** Strings by name; names are lower-cased. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Events only: a message id of your own. At least once, the same id is not stored twice within the driver's window. */
  readonly id?: string;
  /** Events only: not delivered before this has passed. Excludes `at`. */
  readonly delay?: Duration;
  /** Events only: not delivered before this moment; a number is milliseconds since the epoch. */
  readonly at?: Date | number;
  /** Events only: what the event belongs to, where handlers keep the order of keys. */
  readonly key?: string;
  /** Events only: aborting before the event is sent withdraws it. */
  readonly signal?: AbortSignal;
  /** Events only: not delivered any more once this has passed. */
  readonly ttl?: Duration;
  /** Requests: how long to wait for the reply, and for each further one. Events: how long the publish may take. */
  readonly timeout?: Duration;
}

const recordKinds: OptionKinds<DiscoRecordOptions> = {
  headers: anObject,
  id: aString,
  delay: aDuration,
  at: aMoment,
  key: aString,
  signal: aSignal,
  ttl: aDuration,
  timeout: aDuration,
};

/** Also of another copy of this package. */
const RECORD = Symbol.for('nestjs-disco-bus:record');

/** Whether `value` is a {@link DiscoRecord}. */
export function isRecord(value: unknown): value is DiscoRecord {
  return typeof value === 'object' && value !== null && (value as DiscoRecord)[RECORD] === true;
}

/** Data with options, for `client.send` and `client.emit`. */
export class DiscoRecord<T = unknown> {
  /** @internal */
  readonly [RECORD] = true;

  /** Throws ConfigurationError for an option that there is not. */
  constructor(
    readonly data: T,
    readonly options: DiscoRecordOptions = {},
  ) {
    assertOptions('DiscoRecord', options, recordKinds);
  }
}

/** Builds a {@link DiscoRecord}, and throws ConfigurationError for an option of a wrong kind where it is set: `new DiscoRecordBuilder(order).setHeader('tenant', 'a').setDelay('5s').build()`. */
export class DiscoRecordBuilder<T = unknown> {
  private options: DiscoRecordOptions = {};

  constructor(private data?: T) {}

  setData(data: T): this {
    this.data = data;
    return this;
  }

  /** Replaces all headers. */
  setHeaders(headers: Readonly<Record<string, string>>): this {
    return this.with({ headers });
  }

  setHeader(name: string, value: string): this {
    return this.with({ headers: { ...this.options.headers, [name]: value } });
  }

  /** Of an event. */
  setId(id: string): this {
    return this.with({ id });
  }

  /** Of an event. */
  setDelay(delay: Duration): this {
    return this.with({ delay });
  }

  /** Of an event. */
  setAt(at: Date | number): this {
    return this.with({ at });
  }

  /** Of an event. */
  setKey(key: string): this {
    return this.with({ key });
  }

  /** Of an event. */
  setSignal(signal: AbortSignal): this {
    return this.with({ signal });
  }

  /** Of an event. */
  setTtl(ttl: Duration): this {
    return this.with({ ttl });
  }

  setTimeout(timeout: Duration): this {
    return this.with({ timeout });
  }

  build(): DiscoRecord<T> {
    return new DiscoRecord(this.data as T, this.options);
  }

  private with(changes: DiscoRecordOptions): this {
    assertOptions('DiscoRecordBuilder', changes, recordKinds);
    this.options = { ...this.options, ...changes };
    return this;
  }
}
