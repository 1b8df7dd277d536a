import { BundlingDriver, type BundlingOptions, unbundled } from '../../bundling/bundling-driver.js';
import type { Codec } from '../../codec/codec.js';
import { type CompressionOptions, GzipCodec } from '../../codec/gzip.codec.js';
import { JsonCodec } from '../../codec/json.codec.js';
import { PayloadCodec } from '../../codec/payload.codec.js';
import type { ValidationOptions } from '../../contract/definition-options.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { BufferLimit, DiscoDriver } from '../../driver/driver.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError, DriverMissingError } from '../../errors/bus.errors.js';
import { guardedGuest } from '../../errors/guest.js';
import { type CompleteMetrics, guardedMetrics } from '../../metrics/guarded-metrics.js';
import { noopMetrics } from '../../metrics/noop-metrics.js';
import { boundedMetrics, TopicLabels } from '../../metrics/topic-labels.js';
import type { Middleware } from '../../middleware/middleware.js';
import { type Clock, systemClock } from '../../timing/clock.js';
import { toMilliseconds } from '../../timing/duration.js';
import { guardedTracing } from '../../tracing/guarded-tracing.js';
import type { Tracing } from '../../tracing/tracing.js';
import { AgreeingDriver } from '../connection/agreeing-driver.js';
import { WaitingRoom } from '../connection/waiting-room.js';
import { KnownContracts } from '../contract/known-contracts.js';
import { Wires } from '../wire/wires.js';
import { busKinds, placesOfTopicOptions } from './bus-option-kinds.js';
import type { DiscoBusOptions } from './bus-options.js';
import { LimitedLogger } from './limited-logger.js';
import { resolveService, type ServiceSource } from './service-name.js';
import { TopicTable } from './topic-table.js';
import type { WitnessStand } from './witness.js';

/** {@link DiscoBusOptions}, checked and complete. */
export interface ResolvedOptions {
  /** The driver as it was given. */
  readonly engine: DiscoDriver;
  /** In front of it: what waits for its first connection. */
  readonly waitingRoom: WaitingRoom;
  /** The driver that moves the bus's messages, in bundles unless that is off. */
  readonly driver: BundlingDriver;
  /** The same with smaller bundles, for requests and replies: whoever gets the first part of a burst begins at once. */
  readonly requestDriver: BundlingDriver;
  readonly service: string;
  /** Whether the service's name was given, read from package.json, or neither. */
  readonly serviceSource: ServiceSource;
  readonly prefix: string;
  readonly topics: TopicTable;
  /** What definitions say of topics. */
  readonly contracts: KnownContracts;
  /** At which end payloads are checked; what is undefined is as their definitions say. */
  readonly validation: ValidationOptions;
  readonly wires: Wires;
  /** Of requests and replies past the publisher: somebody waits, so at most what is really large is compressed. */
  readonly requestCodec: Codec;
  readonly maxMessageBytes: number;
  readonly publishTimeoutMs: number;
  /** What may be published at a time. */
  readonly publishLimit: BufferLimit;
  readonly requestTimeoutMs: number;
  readonly maxPendingRequests: number;
  readonly shutdownTimeoutMs: number;
  readonly connection: { readonly wait: boolean; readonly timeoutMs: number; readonly critical: boolean };
  readonly middleware: readonly Middleware[];
  readonly metrics: CompleteMetrics;
  /** Somebody measures. */
  readonly measures: boolean;
  /** How often the numbers of groups are read for the metrics; undefined: never. Milliseconds. */
  readonly metricsIntervalMs: number | undefined;
  /** What topics are called in metrics and traces. */
  readonly labels: TopicLabels;
  /** Undefined where nobody traces. */
  readonly tracing: Tracing | undefined;
  readonly logger: LimitedLogger;
  readonly clock: Clock;
  /** Who sees what is handled, in a test. */
  readonly stand: WitnessStand;
}

const names = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;
const MAX_MESSAGE_BYTES = 10 * 1024 * 1024;
const LARGEST_MESSAGE_BYTES = 512 * 1024 * 1024;

/** Checks `options` once, completely; throws DriverMissingError or ConfigurationError naming the option. */
export function resolveOptions(options: DiscoBusOptions): ResolvedOptions {
  if (typeof options?.driver?.publish !== 'function') throw new DriverMissingError();
  assertOptions('DiscoBus', options, busKinds, {
    path: '',
    replacements: { ...placesOfTopicOptions, url: 'give it a driver: redisDriver({ url })' },
  });
  const { driver, prefix = 'disco', metrics = noopMetrics, logger = console } = options;
  const { clock = systemClock, middleware = [] } = options;
  const { service, source: serviceSource } = resolveService(options.service);
  if (!names.test(service))
    throw new ConfigurationError('service must be a name: letters, digits, ".", "_", ":" or "-"');
  if (!names.test(prefix))
    throw new ConfigurationError('prefix must be a name: letters, digits, ".", "_", ":" or "-"');
  const maxMessageBytes = resolveMaxMessageSize(options.maxMessageSize);
  const topics = new TopicTable(service, options.defaults, options.topics, usualDelivery(driver));
  const contracts = new KnownContracts(topics, options.contract);
  const bundles = resolveBundling(options.bundling, maxMessageBytes);
  const payloadCodec = resolvePayloadCodec(options.codec);
  const codecs = resolveCodecs(payloadCodec, options.compression, maxMessageBytes);
  const goLevel = options.compression === false ? undefined : options.compression?.level;
  const labels = new TopicLabels([...topics.names, ...contracts.list.map(({ name }) => name)]);
  const agreeing = new AgreeingDriver(driver, service, clock);
  const waitingRoom = new WaitingRoom(agreeing, clock);
  return {
    engine: driver,
    waitingRoom,
    driver: new BundlingDriver(waitingRoom, bundles, clock),
    requestDriver: new BundlingDriver(waitingRoom, requestBundles(bundles), clock),
    service,
    serviceSource,
    prefix,
    topics,
    contracts,
    validation: options.validation ?? {},
    requestCodec: codecs.requests,
    wires: new Wires({ codecs, payloadCodec, goLevel, maxMessageBytes, clock }),
    maxMessageBytes,
    publishTimeoutMs: toMilliseconds(options.publishTimeout ?? '30s', 'publishTimeout', { minMs: 1 }),
    publishLimit: resolvePublishLimit(options.publishLimit),
    requestTimeoutMs: toMilliseconds(options.requestTimeout ?? '30s', 'requestTimeout', { minMs: 1 }),
    maxPendingRequests: resolveMaxPending(options.maxPendingRequests),
    shutdownTimeoutMs: toMilliseconds(options.shutdownTimeout ?? '10s', 'shutdownTimeout'),
    connection: resolveConnection(options.connection),
    middleware,
    metrics: boundedMetrics(guardedMetrics(metrics), labels),
    measures: metrics !== noopMetrics,
    metricsIntervalMs: resolveMetricsInterval(options),
    labels,
    tracing: options.tracing && guardedTracing(options.tracing),
    logger: new LimitedLogger(guardedGuest(logger, 'logger', ['log', 'warn', 'error']), clock),
    clock,
    stand: {},
  };
}

/** Nobody reads what the sink does not take. */
function resolveMetricsInterval({ metrics, metricsInterval = '15s' }: DiscoBusOptions): number | undefined {
  if (metricsInterval === false || metrics?.group === undefined) return undefined;
  return toMilliseconds(metricsInterval, 'metricsInterval', { minMs: 1_000 });
}

/** At least once, where the driver can. */
function usualDelivery({ capabilities }: DiscoDriver): DeliveryGuarantee {
  return capabilities?.['at-least-once'] ? 'at-least-once' : 'at-most-once';
}

function resolvePayloadCodec(codec: Codec = new JsonCodec()): Codec {
  if (typeof codec?.encode === 'function' && typeof codec.decode === 'function') return codec;
  throw new ConfigurationError('codec must have encode and decode');
}

/** From here on a stored body is compressed unless something else is said: it takes memory until it is handled. */
const STORED_THRESHOLD_BYTES = 16 * 1024;
/** From here on sending fewer bytes makes up for the time that compressing takes, for those who wait. */
const REQUEST_THRESHOLD_BYTES = 64 * 1024;

/** What is not compressed can still be read where others compress. */
function resolveCodecs(codec: Codec, compression: DiscoBusOptions['compression'], maxBytes: number) {
  const payload = new PayloadCodec(codec);
  const gzip = (options: CompressionOptions) => new GzipCodec(payload, { ...options, maxBytes });
  const none = gzip({ threshold: Number.MAX_SAFE_INTEGER });
  if (compression === false) return { 'at-most-once': none, 'at-least-once': none, requests: none };
  const stored = gzip({ threshold: STORED_THRESHOLD_BYTES, ...compression });
  if (compression === undefined) return { 'at-most-once': none, 'at-least-once': stored, requests: none };
  const threshold = Math.max(REQUEST_THRESHOLD_BYTES, compression.threshold ?? 0);
  return { 'at-most-once': stored, 'at-least-once': stored, requests: gzip({ ...compression, threshold }) };
}

/** A bundle of the usual size is read whatever `maxMessageSize` is: its readers take so much more for heads. */
const USUAL_BUNDLE_BYTES = 64 * 1024;

/** No bundle is larger than what its readers take. */
function resolveBundling(
  bundling: DiscoBusOptions['bundling'] = {},
  maxMessageBytes: number,
): BundlingOptions {
  if (bundling === false) return unbundled;
  const mostBytes = Math.max(USUAL_BUNDLE_BYTES, maxMessageBytes);
  const limited = Object.entries(bundling).map(([guarantee, limits]) => [
    guarantee,
    { ...limits, ...(limits?.maxBytes !== undefined && { maxBytes: Math.min(limits.maxBytes, mostBytes) }) },
  ]);
  return Object.fromEntries(limited) as BundlingOptions;
}

const REQUEST_BUNDLE_BYTES = 16 * 1024;

function requestBundles(bundling: BundlingOptions): BundlingOptions {
  const { maxBytes = REQUEST_BUNDLE_BYTES, ...others } = bundling['at-most-once'] ?? {};
  return { 'at-most-once': { ...others, maxBytes: Math.min(maxBytes, REQUEST_BUNDLE_BYTES) } };
}

function resolveMaxMessageSize(size: unknown = MAX_MESSAGE_BYTES): number {
  if (!Number.isInteger(size) || (size as number) < 1 || (size as number) > LARGEST_MESSAGE_BYTES) {
    throw new ConfigurationError('maxMessageSize must be a whole number of bytes from 1 to 512 MiB');
  }
  return size as number;
}

function resolveMaxPending(limit: unknown = 100_000): number {
  if (!Number.isInteger(limit) || (limit as number) < 1) {
    throw new ConfigurationError('maxPendingRequests must be a whole number, 1 or more');
  }
  return limit as number;
}

function resolvePublishLimit({
  messages = 100_000,
  bytes = 64 * 1024 * 1024,
}: DiscoBusOptions['publishLimit'] = {}): BufferLimit {
  for (const [name, value] of Object.entries({ messages, bytes })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new ConfigurationError(`publishLimit.${name} must be a whole number, 1 or more`);
  }
  return { messages, bytes };
}

function resolveConnection({
  wait = true,
  timeout = '10s',
  critical = false,
}: DiscoBusOptions['connection'] = {}) {
  return { wait, timeoutMs: toMilliseconds(timeout, 'connection.timeout'), critical };
}
