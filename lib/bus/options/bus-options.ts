import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { BundlingOptions } from '../../bundling/bundling-driver.js';
import type { Codec } from '../../codec/codec.js';
import type { CompressionOptions } from '../../codec/gzip.codec.js';
import type { Contract } from '../../contract/definition.js';
import type { ValidationOptions } from '../../contract/definition-options.js';
import type { TopicOptions } from '../../contract/topic-options.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { DiscoDriver } from '../../driver/driver.js';
import type { Metrics } from '../../metrics/metrics.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { Middleware } from '../../middleware/middleware.js';

import type { Clock } from '../../timing/clock.js';
import type { Duration } from '../../timing/duration.js';
import type { Tracing } from '../../tracing/tracing.js';
import type { BusLogger } from './bus-logger.js';

/** Options of one subscription; what is absent comes from the `topics` table, then from `defaults`. */
export interface SubscribeOptions extends TopicOptions {
  /** Runs around this subscription's handler, within the bus's own middleware. */
  middleware?: readonly Middleware[];
  /** Only where a handler takes batches: {@link BatchSubscribeOptions}. */
  batch?: undefined;
  /**
   * Lets further subscriptions of this bus read overlapping topics in the same group, each message reaching one of them. All
   * of them must say so; otherwise the second is refused with ConfigurationError. Other processes need not. @default false
   */
  shared?: boolean;
  /** Names the handler in errors and logs, as `OrderHandler.onCreated`. @default the function's name */
  name?: string;
  /** What metrics and logs call it, where the topic itself is made up anew with each start. @default the topic */
  label?: string;
  /** A Standard Schema (zod, valibot, arktype …) for the payload. What it refuses is given up at once, not retried. */
  schema?: StandardSchemaV1;
}

/** Has a handler called with several messages at a time. */
export interface BatchOptions {
  /** The most messages of one call, 1 to 10000. */
  size: number;
  /** How long the first message of a batch waits for others. @default '10ms' */
  linger?: Duration;
}

/** Options of a subscription whose handler takes single messages or, with `batch`, several at a time. */
export interface HandlerSubscribeOptions extends Omit<SubscribeOptions, 'batch'> {
  /** Calls the handler with several messages at a time; `concurrency` then counts batches. */
  batch?: BatchOptions;
}

/** How a subscription with a {@link BatchHandler} behaves. */
export interface BatchSubscribeOptions extends HandlerSubscribeOptions {
  batch: BatchOptions;
}

/** Options of one publish. */
export interface PublishOptions {
  /** Strings by name; names are lower-cased. */
  headers?: Readonly<Record<string, string>>;
  /** A message id of your own, 1 to 200 printable ASCII characters. At least once, the same id is not stored twice within the driver's window. */
  id?: string;
  /** @default what the `topics` table says */
  delivery?: DeliveryGuarantee;
  /** @default the bus's `publishTimeout` */
  timeout?: Duration;
  /** Withdraws the message while it is unsent; afterwards it rejects with PublishOutcomeUnknownError. */
  signal?: AbortSignal;
  /** Not delivered before this has passed. Where the driver can. */
  delay?: Duration;
  /** Not delivered before this moment (a Date, or milliseconds since the epoch). Excludes `delay`. */
  at?: Date | number;
  /** What the message belongs to, as an order's number: see `orderBy`. 1 to 200 printable ASCII characters. */
  key?: string;
  /** Not delivered any more once this has passed. Where the driver can. */
  ttl?: Duration;
}

/** Options of one request. */
export interface RequestOptions {
  /** How long to wait for the reply, and for each further one of a stream. @default the bus's `requestTimeout` */
  timeout?: Duration;
  /** Calls the request off: it rejects with AbortedError, and the handler's signal aborts. */
  signal?: AbortSignal;
  /** Strings by name; names are lower-cased. */
  headers?: Readonly<Record<string, string>>;
  /** @default what the `topics` table says */
  delivery?: DeliveryGuarantee;
  /**
   * At least once: the one group that answers. Where the driver can count its members and finds none, the request rejects
   * with NoRespondersError at once, and nothing is sent. @default not asked
   */
  group?: string;
}

/** What is known of an accepted message. */
export interface PublishReceipt {
  readonly id: string;
  readonly topic: string;
  /** Where it is stored: the entry id, and `#index` within a bundle. At least once only. */
  readonly position?: string;
  /** How many subscribers the server sent it to: a hint, never a receipt. At most once only. */
  readonly receivers?: number;
}

/** How much may be under way, from the call of `publish` until it settles. */
export interface PublishLimitOptions {
  /** Messages, 1 or more. @default 100000 */
  messages?: number;
  /** Bytes of their encoded payloads, 1 or more; while nothing else is under way, one message may be larger. @default 64 MiB */
  bytes?: number;
}

/** What to do while the server cannot be reached at start. */
export interface ConnectionOptions {
  /** Whether `start()` waits for the connection at all. @default true */
  wait?: boolean;
  /** How long it waits. @default '10s' */
  timeout?: Duration;
  /** Whether `start()` then fails. Otherwise it goes on, connecting in the background without end. @default false */
  critical?: boolean;
}

/** Handles one message. Returning, or a promise that resolves, means handled; throwing means failed. */
export type MessageHandler<T = any, Result = unknown> = (
  payload: T,
  context: DiscoMessageContext<T>,
) => Result;

/** A method that is given a payload and its context, in either order; any method where the payload may be anything. */
export type HandlerMethod<Handled, Context, Result = unknown> = 0 extends 1 & Handled
  ? (...parameters: any[]) => any
  : ((payload: Handled, context: Context) => Result) | ((context: Context, payload: Handled) => Result);

/** Everything a bus can be told. Only `driver` is needed. */
export interface DiscoBusOptions {
  driver: DiscoDriver;
  /**
   * Names this service: the default consumer group, shared by all its processes and by no other service. A bus that reads at
   * least once without one warns at its start. @default the name in the nearest package.json, else 'default'
   */
  service?: string;
  /** Stands before every key and channel. @default 'disco' */
  prefix?: string;
  /** For topics that the table does not name. */
  defaults?: TopicOptions;
  /** By topic or topic pattern; an exact name goes before a pattern, and patterns in the order written. */
  topics?: Readonly<Record<string, TopicOptions>>;
  /** @default JSON; a Uint8Array payload always travels as raw bytes */
  codec?: Codec;
  /**
   * The topics and requests by `defineTopic` and `defineRequest` that the bus knows from its beginning on, by names of your
   * choice. Others are known from their first use on. Two of one name that differ are refused.
   */
  contract?: Contract;
  /** At which end payloads are compared with the schemas of their definitions. @default as each definition says, else both */
  validation?: ValidationOptions;
  /**
   * `false` to send everything as it is; options to compress both what is stored and what is fanned out, requests and replies
   * from 64 KiB on. What others have compressed is read in any case. @default what is stored (at least once), by gzip,
   * level 1, from 16 KiB on
   */
  compression?: CompressionOptions | false;
  /**
   * The most bytes of a payload, in and out, encoded and before compression. A larger one is refused where it is written,
   * with MessageTooLargeError. @default 10 MiB
   */
  maxMessageSize?: number;
  /** @default '30s' */
  publishTimeout?: Duration;
  /**
   * What may be published at a time. Beyond it `publish` rejects with BackpressureError at once, and nothing is sent;
   * `publishBatch` waits for its turn instead. Requests at most once and replies do not count. @default 100000 messages, 64 MiB
   */
  publishLimit?: PublishLimitOptions;
  /** How long a request waits for its reply. @default '30s' */
  requestTimeout?: Duration;
  /** Requests that may wait for replies at a time, 16,777,216 at most; further ones reject with BackpressureError. @default 100000 */
  maxPendingRequests?: number;
  /** How long `stop()`, or closing a subscription, lets running handlers finish. @default '10s' */
  shutdownTimeout?: Duration;
  connection?: ConnectionOptions;
  /** Runs around every handler, the first outermost. */
  middleware?: readonly Middleware[];
  /** `false` to send every message alone. @default on */
  bundling?: BundlingOptions | false;
  /** @default nothing is measured */
  metrics?: Metrics;
  /** How often one process asks for the numbers of its groups, for the metrics of all: from 1 s on; `false`: never. @default '15s' */
  metricsInterval?: Duration | false;
  /** As `openTelemetry()` of `nestjs-disco-bus/opentelemetry`. @default nothing is traced */
  tracing?: Tracing;
  /** @default the console */
  logger?: BusLogger;
  /** @default the computer's clock */
  clock?: Clock;
}
