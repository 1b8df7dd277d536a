export type { BatchHandler, BatchOptions, DiscoBatchContext } from './bus/batch.js';
export type { BusLogger } from './bus/bus-logger.js';
export type {
  BacklogOptions,
  BatchSubscribeOptions,
  ConnectionOptions,
  DiscoBusOptions,
  HandlerSubscribeOptions,
  MessageHandler,
  PublishLimitOptions,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
  RetryOptions,
  SubscribeOptions,
  TopicOptions,
  WireName,
} from './bus/bus-options.js';
export type { BusState, BusStatus, BusStatusListener } from './bus/bus-status.js';
export type {
  DeadLetteredMessage,
  DeadLetterQueue,
  PeekOptions,
  ReplayOptions,
  ReplayReport,
} from './bus/dead-letter-queue.js';
export { type DeclaredSubscription, DiscoBus } from './bus/disco-bus.js';
export type { ReplyObserver } from './bus/requests/call.js';
export { replyBufferBytes } from './bus/requests/reply-order.js';
export { type ReplySink, ReplyStream, type StopReplies } from './bus/requests/reply-stream.js';
export type { Subscription } from './bus/subscription.js';
export { type Codec, type CodecId, Compression, type EncodedBody } from './codec/codec.js';
export { type CompressionOptions, GzipCodec, type InflateLimit } from './codec/gzip.codec.js';
export { JsonCodec } from './codec/json.codec.js';
export { RawCodec } from './codec/raw.codec.js';
export type { BundleLimits } from './driver/bundle-lane.js';
export { BundlingDriver, type BundlingOptions } from './driver/bundling-driver.js';
export type { DeliveryGuarantee, DriverCapabilities, GuaranteeCapabilities } from './driver/capabilities.js';
export type {
  DeadLetter,
  DeadLetterProvider,
  DeadLetterRange,
  DeadLetterStore,
} from './driver/dead-letters.js';
export type { DeadLetterReason, Delivery, DeliveryPart } from './driver/delivery.js';
export type {
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from './driver/driver.js';
export type { DriverStatus, DriverStatusListener } from './driver/driver-status.js';
export { type GroupCensus, offersGroupCensus } from './driver/group-census.js';
export { type GroupRemoval, offersGroupRemoval } from './driver/group-removal.js';
export {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockGrant,
  type LockHint,
  LockHintListeners,
  type LockMode,
  type LockRefusal,
  type LockState,
  type LockStore,
  type LockStoreProvider,
  offersLocks,
} from './driver/lock-store.js';
export {
  offersTopicAgreements,
  type TopicAgreements,
  type TopicDissent,
  type TopicUse,
} from './driver/topic-agreements.js';
export {
  AbortedError,
  ClosedError,
  ConfigurationError,
  DriverMissingError,
  NotConnectedError,
  TopicConflictError,
} from './errors/bus.errors.js';
export { DiscoBusError, type DiscoBusErrorCode, isDiscoBusError } from './errors/disco-bus-error.js';
export { DriverError, type DriverErrorOptions } from './errors/driver.errors.js';
export {
  HandlerMissingError,
  HandlerPanicError,
  HandlerTimeoutError,
  PayloadInvalidError,
  UnrecoverableError,
} from './errors/handler.errors.js';
export {
  LockLostError,
  LockNotAcquiredError,
  LockNotReplicatedError,
  LockUnavailableError,
} from './errors/lock.errors.js';
export {
  CodecError,
  MessageInvalidError,
  MessageTooLargeError,
  MessageUndefinedError,
  TopicEmptyError,
  TopicInvalidError,
} from './errors/message.errors.js';
export {
  BackpressureError,
  BatchPartlySentError,
  type BatchReceipt,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
} from './errors/publish.errors.js';
export {
  NoRespondersError,
  RemoteError,
  type RemoteFailure,
  ReplyLostError,
  type ReplyLostReason,
  RequestTimeoutError,
  type RequestTimeoutReason,
} from './errors/request.errors.js';
export { NotReplicatedError, StreamFullError } from './errors/stream.errors.js';
export { currentLock } from './lock/current-lock.js';
export type { Lock } from './lock/lock.js';
export { LockManager, type LockManagerOptions } from './lock/lock-manager.js';
export type { LockObserver, LockOperation, LockOperationStatus } from './lock/lock-observer.js';
export type { LockOptions } from './lock/lock-options.js';
export type { LockedWork, LockScope, ReadWriteLock, Semaphore } from './lock/lock-scope.js';
export { redlockStore } from './lock/redlock-store.js';
export type { Headers } from './message/headers.js';
export type { Message } from './message/message.js';
export type { DropReason, Metrics, ProcessedStatus, TopicMetrics } from './metrics/metrics.js';
export { CORRELATION_HEADER, correlation, currentCorrelationId } from './middleware/correlation.js';
export { type DeduplicateOptions, deduplicate } from './middleware/deduplicate.js';
export type { DiscoMessageContext } from './middleware/message-context.js';
export type { Handler, Middleware } from './middleware/middleware.js';
export { recover } from './middleware/recover.js';
export { type RetryPolicy, retry } from './middleware/retry.js';
export { timeout } from './middleware/timeout.js';
export { type SchemaIssue, type SchemaResult, type StandardSchema, validate } from './middleware/validate.js';
export { BusFailureInterceptor, busHttpException } from './nest/bus-failure.interceptor.js';
export { DiscoBusModule } from './nest/disco-bus.module.js';
export { type AnyEvents, DiscoBusService, type TopicPattern } from './nest/disco-bus.service.js';
export { getDiscoBusServerToken, getDiscoBusToken, InjectDiscoBus } from './nest/disco-bus.tokens.js';
export {
  DiscoContext,
  DiscoPayload,
  type DiscoPayloadOptions,
  type PayloadPipe,
} from './nest/handlers/disco-params.decorator.js';
export {
  DiscoSubscribe,
  type DiscoSubscribeOptions,
  type DiscoSubscribeOptionsFactory,
  type Enhancers,
} from './nest/handlers/disco-subscribe.decorator.js';
export { DISCO_CONTEXT_TYPE } from './nest/handlers/handler-arguments-host.js';
export type { BusLockOptions } from './nest/locks/bus-locks.js';
export { LockBusyInterceptor } from './nest/locks/lock-busy.interceptor.js';
export type { LockKey, LockKeyFunction } from './nest/locks/lock-key.js';
export type { BusyLock, WithLockOptions } from './nest/locks/locked-method.js';
export { WithLock } from './nest/locks/with-lock.decorator.js';
export type {
  DiscoBusFactoryOptions,
  DiscoBusModuleAsyncOptions,
  DiscoBusModuleOptions,
  DiscoBusOptionsFactory,
  TransportOptions,
} from './nest/module-options.js';
export type { Backoff, BackoffOptions } from './timing/backoff.js';
export type { Clock, ClockTimer } from './timing/clock.js';
export type { Duration } from './timing/duration.js';
export { DiscoBusClient } from './transport/disco-bus.client.js';
export { DiscoBusContext } from './transport/disco-bus.context.js';
export { DISCO_BUS, DiscoBusServer } from './transport/disco-bus.server.js';
export { DiscoRecord, DiscoRecordBuilder, type DiscoRecordOptions } from './transport/disco-record.js';
export type { StatusEvents, TransportStatus } from './transport/status-relay.js';
export type {
  BusHolder,
  DiscoBusClientOptions,
  DiscoBusServerOptions,
  DiscoEventExtras,
  DiscoTransportOptions,
} from './transport/transport-options.js';
