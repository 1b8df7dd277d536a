import { types } from 'node:util';
import type { Codec, EncodedBody } from '../codec/codec.js';
import type { DeliveryGuarantee, GuaranteeCapabilities } from '../driver/capabilities.js';
import type { DiscoDriver, DriverPublishOptions, DriverReceipt } from '../driver/driver.js';
import { AbortedError, ConfigurationError } from '../errors/bus.errors.js';
import { CodecError, MessageTooLargeError, MessageUndefinedError } from '../errors/message.errors.js';
import { encodeFrame } from '../message/frame.js';
import { type Headers, noHeaders, toHeaders } from '../message/headers.js';
import { assertMessageId, messageIds } from '../message/message-id.js';
import { assertTopic } from '../message/topic.js';
import type { TopicMetrics } from '../metrics/metrics.js';
import { TopicLabels } from '../metrics/topic-labels.js';
import { CORRELATION_HEADER, currentCorrelationId } from '../middleware/correlation.js';
import { toMilliseconds } from '../timing/duration.js';
import type { PublishOptions, PublishReceipt } from './bus-options.js';
import { assertAgreed } from './delivery-agreement.js';
import { PublishDeadlines } from './publish-deadlines.js';
import type { ResolvedOptions } from './resolved-options.js';
import type { BusSubscription } from './subscription.js';

/** What a publisher knows of a topic it has met. */
interface Lane {
  readonly topic: string;
  readonly delivery: DeliveryGuarantee;
  readonly metrics: TopicMetrics;
}

/** Topics remembered at a time; beyond that the memory is emptied and begins again. */
const REMEMBERED_TOPICS = 20_000;
const noOptions: PublishOptions = {};

/** Turns payloads into frames and hands them to the driver. */
export class Publisher {
  private readonly driver: DiscoDriver;
  private readonly codec: Codec;
  private readonly nextId = messageIds();
  private readonly lanes = new Map<string, Lane>();
  private readonly labels: TopicLabels;
  private readonly deadlines: PublishDeadlines;
  private readonly defaultOptions: Record<DeliveryGuarantee, Omit<DriverPublishOptions, 'id'>>;
  private readonly pending = new Set<Promise<unknown>>();

  constructor(
    private readonly options: ResolvedOptions,
    private readonly subscriptions: ReadonlySet<BusSubscription>,
  ) {
    this.driver = options.driver;
    this.codec = options.codec;
    this.labels = new TopicLabels(options.topics.names);
    this.deadlines = new PublishDeadlines(options.publishTimeoutMs, options.clock);
    const timeoutMs = options.publishTimeoutMs;
    this.defaultOptions = {
      'at-most-once': { delivery: 'at-most-once', timeoutMs },
      'at-least-once': { delivery: 'at-least-once', timeoutMs },
    };
  }

  /** Publishes one message. Fails, with nothing sent, before the first await for anything the caller got wrong. */
  async publish(
    topic: string,
    payload: unknown,
    options: PublishOptions = noOptions,
  ): Promise<PublishReceipt> {
    const encoding = this.prepare(topic, payload, options);
    return types.isPromise(encoding) ? (await encoding)() : encoding();
  }

  /** Publishes all or, if one of them cannot be encoded, none. */
  async publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions = noOptions,
  ): Promise<PublishReceipt[]> {
    const prepared = await Promise.all(
      payloads.map((payload, index) => {
        const id = options.id === undefined ? undefined : `${options.id}.${index}`;
        return this.prepare(topic, payload, id === undefined ? options : { ...options, id });
      }),
    );
    const receipts = await Promise.allSettled(prepared.map((send) => send()));
    const failure = receipts.find((receipt) => receipt.status === 'rejected');
    if (failure) throw failure.reason;
    return receipts.map((receipt) => (receipt as PromiseFulfilledResult<PublishReceipt>).value);
  }

  /** Resolves when every publish under way has settled. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.pending);
  }

  /** Another subscription may disagree with what was remembered. */
  forgetTopics(): void {
    this.lanes.clear();
  }

  close(): void {
    this.deadlines.close();
  }

  /** Checks and encodes a message; the function that comes back sends it. */
  private prepare(topic: string, payload: unknown, options: PublishOptions): Send | Promise<Send> {
    const startedMs = performance.now();
    const lane = this.lane(topic, options.delivery);
    if (payload === undefined) throw new MessageUndefinedError(topic);
    const id = options.id === undefined ? this.nextId() : assertMessageId(options.id);
    const headers = this.headers(options);
    const driverOptions = this.driverOptions(lane.delivery, id, options);
    const toSend = (body: EncodedBody): Send => {
      const frame = this.frame(id, headers, body);
      return () => this.send(lane, frame, driverOptions, startedMs);
    };
    const body = this.encode(payload);
    return types.isPromise(body) ? body.then(toSend) : toSend(body);
  }

  private lane(topic: string, delivery: DeliveryGuarantee | undefined): Lane {
    const known = this.lanes.get(topic);
    if (known && (delivery === undefined || delivery === known.delivery)) return known;
    assertTopic(topic);
    const agreed = this.options.topics.get(topic, { delivery }).delivery;
    this.capabilities(agreed);
    assertAgreed(topic, agreed, this.subscriptions);
    const lane = { topic, delivery: agreed, metrics: this.options.metrics.topic(this.labels.of(topic)) };
    if (delivery === undefined) {
      if (this.lanes.size >= REMEMBERED_TOPICS) this.lanes.clear();
      this.lanes.set(topic, lane);
    }
    return lane;
  }

  private capabilities(delivery: DeliveryGuarantee): GuaranteeCapabilities {
    const capabilities = this.driver.capabilities[delivery];
    if (!capabilities)
      throw new ConfigurationError(`The driver "${this.driver.name}" does not offer ${delivery}`);
    return capabilities;
  }

  private headers({ headers: given }: PublishOptions): Headers {
    const headers = given === undefined ? noHeaders : toHeaders(given);
    const correlationId = currentCorrelationId();
    if (correlationId === undefined || headers[CORRELATION_HEADER] !== undefined) return headers;
    return toHeaders({ ...headers, [CORRELATION_HEADER]: correlationId });
  }

  private driverOptions(
    delivery: DeliveryGuarantee,
    id: string,
    options: PublishOptions,
  ): DriverPublishOptions {
    if (options === noOptions) return { ...this.defaultOptions[delivery], id };
    const { timeout, signal, ttl, id: ownId } = options;
    if (signal?.aborted) throw new AbortedError(signal.reason);
    const delayMs = delayOf(options, this.options.clock.now());
    const ttlMs = ttl === undefined ? undefined : toMilliseconds(ttl, 'ttl', { minMs: 1 });
    if ((delayMs !== undefined || ttlMs !== undefined) && !this.capabilities(delivery).delay) {
      throw new ConfigurationError(`The driver "${this.driver.name}" offers no delay and no ttl ${delivery}`);
    }
    const timeoutMs =
      timeout === undefined
        ? this.options.publishTimeoutMs
        : toMilliseconds(timeout, 'timeout', { minMs: 1 });
    return {
      delivery,
      id,
      timeoutMs,
      delayMs,
      ttlMs,
      signal,
      deduplicate: ownId === undefined ? undefined : true,
    };
  }

  private encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    try {
      const body = this.codec.encode(payload);
      return types.isPromise(body) ? body.catch(rethrowAsCodecError) : body;
    } catch (error) {
      return rethrowAsCodecError(error);
    }
  }

  private frame(id: string, headers: Headers, { data, codec, compression }: EncodedBody): Buffer {
    const sizeBytes = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
    if (sizeBytes > this.options.maxMessageBytes)
      throw new MessageTooLargeError(sizeBytes, this.options.maxMessageBytes);
    return encodeFrame({ id, timestamp: this.options.clock.now(), headers, codec, compression, body: data });
  }

  private async send(
    lane: Lane,
    frame: Buffer,
    options: DriverPublishOptions,
    startedMs: number,
  ): Promise<PublishReceipt> {
    const sending = this.deadlines.guard(
      lane.topic,
      options,
      this.driver.publish(lane.topic, frame, options),
    );
    this.pending.add(sending);
    try {
      const receipt = await sending;
      lane.metrics.published('success', (performance.now() - startedMs) / 1000);
      lane.metrics.size('out', frame.length);
      return toReceipt(options.id, lane.topic, receipt);
    } catch (error) {
      lane.metrics.published('error', (performance.now() - startedMs) / 1000);
      throw error;
    } finally {
      this.pending.delete(sending);
    }
  }
}

type Send = () => Promise<PublishReceipt>;

function toReceipt(id: string, topic: string, { position, receivers }: DriverReceipt): PublishReceipt {
  if (position !== undefined) return { id, topic, position };
  return receivers === undefined ? { id, topic } : { id, topic, receivers };
}

function delayOf({ delay, at }: PublishOptions, now: number): number | undefined {
  if (delay !== undefined && at !== undefined)
    throw new ConfigurationError('delay and at exclude each other');
  if (delay !== undefined) return toMilliseconds(delay, 'delay');
  if (at === undefined) return undefined;
  return toMilliseconds(Math.max(0, Number(at) - now), 'at');
}

function rethrowAsCodecError(error: unknown): never {
  throw error instanceof CodecError
    ? error
    : new CodecError('The codec failed to write the payload', { cause: error });
}
