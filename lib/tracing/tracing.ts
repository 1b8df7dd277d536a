import type { Headers } from '../message/headers.js';

/** Where a message goes or came from. */
export interface TracedPlace {
  readonly topic: string;
  /** What stands for the topic in names: the topic itself, or a pattern that matches it. Undefined where too many topics have a name already. */
  readonly label: string | undefined;
}

/** A message is being published. `headers`: those of the caller, lower-case. */
export interface TracedPublish extends TracedPlace {
  readonly type: 'publish';
  readonly headers: Headers;
}

/** Several are being published by one call. */
export interface TracedPublishBatch extends TracedPlace {
  readonly type: 'publish-batch';
  readonly headers: Headers;
  readonly messages: number;
  /** Whether the messages can carry headers. */
  readonly carriesHeaders: boolean;
}

/** A request was made, and waits for its replies. */
export interface TracedRequest extends TracedPlace {
  readonly type: 'request';
  readonly headers: Headers;
}

/** A message as its handler gets it. */
export interface TracedMessage {
  readonly id: string;
  readonly headers: Headers;
  /** When it was published by the publisher's clock, milliseconds since the epoch. */
  readonly timestamp: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** It was a dead letter, and has been replayed. */
  readonly replayed: boolean;
  /** The first attempt of its delivery: several may be made in place. */
  readonly first: boolean;
}

/** One attempt of a handler to handle a message. */
export interface TracedProcess extends TracedPlace {
  readonly type: 'process';
  readonly message: TracedMessage;
  /** The consumer group; undefined at most once. */
  readonly group: string | undefined;
}

/** The same for several messages at a time. */
export interface TracedProcessBatch {
  readonly type: 'process-batch';
  /** The topic that all came from; undefined where they came from several. */
  readonly topic: string | undefined;
  readonly label: string | undefined;
  readonly messages: readonly TracedMessage[];
  readonly group: string | undefined;
}

/** What is recorded of a message that was not handled: it is tried again, or given up. Begins within its attempt. */
export interface TracedSettlement extends TracedPlace {
  readonly type: 'settle';
  readonly outcome: 'retry' | 'dead-letter' | 'drop';
  readonly id: string;
  readonly group: string | undefined;
}

/** A lock is being waited for. */
export interface TracedAcquire {
  readonly type: 'acquire-lock';
  readonly keys: readonly string[];
}

/** A lock is held while work runs under it. */
export interface TracedHold {
  readonly type: 'hold-lock';
  readonly keys: readonly string[];
}

/** What can be traced. Never a payload. */
export type TracedOperation =
  | TracedPublish
  | TracedPublishBatch
  | TracedRequest
  | TracedProcess
  | TracedProcessBatch
  | TracedSettlement
  | TracedAcquire
  | TracedHold;

/** How an operation ended. */
export interface TraceOutcome {
  /** Why it failed; undefined where it did not. */
  readonly error?: unknown;
  /** The id that a published message was given. */
  readonly id?: string;
  /** A request that its caller called off, or a lock that was not free and was not waited for. */
  readonly unsuccessful?: boolean;
}

/** One operation under way. */
export interface Trace {
  /** What the message goes with, so that its receivers go on with the trace; of a batch, the message at `index`. Undefined: nothing. */
  headers(index?: number): Readonly<Record<string, string>> | undefined;
  /** Calls `work` at once, and once, with the operation as the current one of all that it starts. Also after `end`. */
  run<Result>(work: () => Result): Result;
  /** The operation is over. Called once. */
  end(outcome?: TraceOutcome): void;
}

/**
 * What follows messages from their publisher to their handlers. `openTelemetry()` of `nestjs-disco-bus/opentelemetry` makes
 * one. Must be quick; what it throws changes nothing, and is told once as a process warning.
 */
export interface Tracing {
  /** An operation begins, in the async context of its caller. An attempt to handle a message begins in nobody's. */
  begin(operation: TracedOperation): Trace;
}
