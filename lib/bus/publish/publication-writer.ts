import { types } from 'node:util';
import type { MessagePublishOptions } from '../../bundling/bundle-lane.js';
import type { EncodedBody, EncodingBody } from '../../codec/codec.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import { AbortedError, ConfigurationError } from '../../errors/bus.errors.js';
import { CodecError, MessageTooLargeError, MessageUndefinedError } from '../../errors/message.errors.js';
import { bodyBytes } from '../../message/frame.js';
import { type Headers, KEY_HEADER, toHeaders } from '../../message/headers.js';
import { assertKey, assertMessageId } from '../../message/message-id.js';
import { CORRELATION_HEADER, currentCorrelationId } from '../../middleware/correlation.js';
import { isThenable } from '../../middleware/middleware.js';
import { toMilliseconds } from '../../timing/duration.js';
import { WallTime } from '../../timing/wall-time.js';
import { checkOutgoing, type DefinedPublishOptions, definedOptions } from '../contract/outgoing-check.js';
import type { PublishOptions } from '../options/bus-options.js';
import type { ExpectedSubscriptions } from '../options/expected-subscriptions.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { Publication, type PublicationHead } from './publication.js';
import { type PublishTarget, PublishTargets } from './publish-targets.js';

/** A message that is still being encoded. */
export interface EncodingPublication extends Promise<Publication> {
  /** The bytes that it holds until then, where they are known. */
  readonly plainBytes?: number;
}

/** Checks what a caller publishes and encodes it; sends nothing. */
export class PublicationWriter {
  private readonly targets: PublishTargets;
  private readonly wallTime: WallTime;

  constructor(
    private readonly options: ResolvedOptions,
    expected: ExpectedSubscriptions,
  ) {
    this.targets = new PublishTargets(options, expected);
    this.wallTime = new WallTime(options.clock);
  }

  /** Throws TopicInvalidError, or ConfigurationError for a guarantee that the driver lacks or a subscription contradicts. */
  target(topic: string, delivery: DeliveryGuarantee | undefined): PublishTarget {
    return this.targets.get(topic, delivery);
  }

  /** Another subscription may disagree with what was remembered. */
  forgetTopics(): void {
    this.targets.forget();
  }

  /** Throws for whatever the caller got wrong, or rejects where the codec takes its time. */
  write(topic: string, payload: unknown, options: DefinedPublishOptions): Publication | EncodingPublication {
    const { contracts, validation } = this.options;
    const definition = contracts.isEmpty ? undefined : (options.definition ?? contracts.get(topic));
    if (definition === undefined || payload === undefined) return this.encode(topic, payload, options);
    const checking = checkOutgoing(definition, payload, validation);
    const whole = definedOptions(definition, payload, options);
    if (!isThenable(checking)) return this.encode(topic, payload, whole);
    return (checking as Promise<unknown>).then(() => this.encode(topic, payload, whole));
  }

  /** Whether each message to a topic has a key of its own. */
  isKeyed(topic: string, { definition }: DefinedPublishOptions): boolean {
    return (definition ?? this.options.contracts.get(topic))?.parts.key !== undefined;
  }

  private encode(
    topic: string,
    payload: unknown,
    options: PublishOptions,
  ): Publication | EncodingPublication {
    const startedMs = this.options.clock.monotonic();
    const target = this.targets.get(topic, options.delivery);
    if (payload === undefined) throw new MessageUndefinedError(topic);
    target.wire.assertCarries(topic, options);
    const head = {
      id: options.id === undefined ? target.ids.prefix : assertMessageId(options.id),
      idNumber: options.id === undefined ? target.ids.next() : undefined,
      timestamp: this.wallTime.at(startedMs),
      headers: outgoingHeaders(target, options),
      options: this.driverOptions(target, options),
      startedMs,
    };
    let body: EncodedBody | EncodingBody;
    try {
      body = target.codec.encode(payload);
    } catch (error) {
      return rethrowAsCodecError(error);
    }
    if (!types.isPromise(body)) return this.pack(target, head, body);
    const { plainBytes } = body as EncodingBody;
    const packed = body.then((encoded) => this.pack(target, head, encoded), rethrowAsCodecError);
    return Object.assign(packed, { plainBytes });
  }

  /** Milliseconds. */
  timeoutOf({ timeout }: PublishOptions): number {
    const { publishTimeoutMs } = this.options;
    return timeout === undefined ? publishTimeoutMs : toMilliseconds(timeout, 'timeout', { minMs: 1 });
  }

  private pack(target: PublishTarget, head: PublicationHead, body: EncodedBody): Publication {
    const { maxMessageBytes } = this.options;
    const size = bodyBytes(body.data);
    const plainBytes = body.plainBytes ?? size;
    if (plainBytes > maxMessageBytes) throw new MessageTooLargeError(plainBytes, maxMessageBytes);
    return new Publication(target, head, body, size);
  }

  private driverOptions(target: PublishTarget, options: PublishOptions): MessagePublishOptions {
    if (isUsual(options)) return target.usual;
    const { clock, driver } = this.options;
    const { signal, ttl, key } = options;
    if (signal?.aborted) throw new AbortedError(signal.reason);
    const delayMs = delayOf(options, clock.now());
    const ttlMs = ttl === undefined ? undefined : toMilliseconds(ttl, 'ttl', { minMs: 1 });
    if ((delayMs !== undefined || ttlMs !== undefined) && !target.capabilities.delay) {
      throw new ConfigurationError(
        `The driver "${driver.name}" offers no delay and no ttl ${target.delivery}`,
      );
    }
    const timeoutMs = this.timeoutOf(options);
    const deduplicate = options.id === undefined ? undefined : true;
    const { delivery, wire } = target;
    return { delivery, timeoutMs, deduplicate, key, delayMs, ttlMs, signal, bare: wire.bare };
  }
}

/** What a message holds, also while it is still being encoded. */
export function heldBytes(message: Publication | EncodingPublication): number {
  return types.isPromise(message) ? ((message as EncodingPublication).plainBytes ?? 0) : message.bodyBytes;
}

/** Whether nothing was asked for beyond headers and a guarantee. */
export function isUsual({ timeout, signal, ttl, key, delay, at, id }: PublishOptions): boolean {
  return (
    timeout === undefined &&
    signal === undefined &&
    ttl === undefined &&
    key === undefined &&
    delay === undefined &&
    at === undefined &&
    id === undefined
  );
}

function outgoingHeaders(target: PublishTarget, { headers: given, key }: PublishOptions): Headers {
  const named = target.headers.check(given);
  const headers = key === undefined ? named : toHeaders({ ...named, [KEY_HEADER]: assertKey(key) });
  const correlationId = currentCorrelationId();
  if (correlationId === undefined || headers[CORRELATION_HEADER] !== undefined) return headers;
  return toHeaders({ ...headers, [CORRELATION_HEADER]: correlationId });
}

function delayOf({ delay, at }: PublishOptions, now: number): number | undefined {
  if (delay !== undefined && at !== undefined)
    throw new ConfigurationError('delay and at exclude each other');
  if (delay !== undefined) return toMilliseconds(delay, 'delay');
  if (at === undefined) return undefined;
  return toMilliseconds(Math.max(0, Number(at) - now), 'at');
}

function rethrowAsCodecError(error: unknown): never {
  throw error instanceof CodecError || error instanceof MessageTooLargeError
    ? error
    : new CodecError('The codec failed to write the payload', { cause: error });
}
