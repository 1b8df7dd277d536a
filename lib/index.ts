// For applications. Drivers: `/redis`, `/memory`. The transport of Nest: `/transport`. Authors of drivers: `/driver`.

// Module: a bus, its service and its locks in a Nest application

export { DiscoBusModule } from './nest/disco-bus.module.js';
export {
  type AnyEvents,
  DiscoBusService,
  type EventOf,
  type TopicPattern,
} from './nest/disco-bus.service.js';
export { getDiscoBusServerToken, getDiscoBusToken, InjectDiscoBus } from './nest/disco-bus.tokens.js';
export type {
  DiscoBusFactoryOptions,
  DiscoBusModuleAsyncOptions,
  DiscoBusModuleOptions,
  DiscoBusOptionsFactory,
  TransportOptions,
} from './nest/module-options.js';

// Bus and messages: what is published, subscribed and received, with or without Nest

export type {
  BusState,
  BusStatus,
  BusStatusListener,
  LockLost,
  Retried,
  SubscriptionChanged,
} from './bus/bus-status.js';
export type { BatchHandler, DiscoBatchContext } from './bus/consume/batch.js';
export type { DeclaredSubscription, Subscription } from './bus/consume/subscription.js';
export type { SubscriptionStatus } from './bus/consume/subscription-status.js';
export { DiscoBus } from './bus/disco-bus.js';
export { type BusLogger, type LogEvent, type LogFields, logEvents } from './bus/options/bus-logger.js';
export type {
  BatchOptions,
  BatchSubscribeOptions,
  ConnectionOptions,
  DiscoBusOptions,
  HandlerMethod,
  HandlerSubscribeOptions,
  MessageHandler,
  PublishLimitOptions,
  PublishOptions,
  PublishReceipt,
  SubscribeOptions,
} from './bus/options/bus-options.js';
export type { BacklogOptions, RetryOptions, TopicOptions, WireName } from './contract/topic-options.js';
export type { DeliveryGuarantee } from './driver/capabilities.js';
export type { DiscoDriver } from './driver/driver.js';
export type { DeadLettered, MessagesExpired } from './driver/driver-status.js';
export type { Headers } from './message/headers.js';
export type {
  IdempotencyClaim,
  IdempotencyOutcome,
  IdempotencyStore,
} from './message/idempotency-store.js';
export type { Message } from './message/message.js';
export type { DiscoMessageContext } from './middleware/message-context.js';
export type { Backoff, BackoffOptions } from './timing/backoff.js';
export type { Duration } from './timing/duration.js';

// Contract: a topic or request as one value: name, type, policy and schema

export type { ContractClient } from './bus/contract/contract-client.js';
export { defineRequest, defineTopic } from './contract/define.js';
export type { Contract, Definition, RequestDefinition, TopicDefinition } from './contract/definition.js';
export type {
  DefinitionOptions,
  RequestDefinitionOptions,
  SchemaOptions,
  ValidationOptions,
  VersionOptions,
} from './contract/definition-options.js';
export type {
  Arrives,
  Jsonified,
  Received,
  ReplyArrives,
  Unwritable,
  WrittenKey,
} from './contract/received.js';

// Requests: a publish that is answered, once or many times

export type { RequestOptions } from './bus/options/bus-options.js';
export type { ReplyObserver } from './bus/requests/call.js';
export { replyBufferBytes } from './bus/requests/reply-order.js';
export { type Answers, type ReplySink, ReplyStream, type StopReplies } from './bus/requests/reply-stream.js';

// Dead letters: look at what was given up, and send it again

export type { LetterChanges } from './bus/operate/dead-letter-edit.js';
export type {
  DeadLetteredMessage,
  EditOptions,
  PeekOptions,
  ReplayOptions,
  ReplayReport,
} from './bus/operate/dead-letter-options.js';
export type { DeadLetterQueue } from './bus/operate/dead-letter-queue.js';

// Inspection: what is stored, who reads it, and how far they are

export type { BrowseOptions, StoredMessage, StoredMessages } from './bus/operate/browsed-messages.js';
export type {
  ConnectionInspection,
  Inspector,
  InspectRange,
  InstancesOptions,
} from './bus/operate/inspector.js';
export type { RpcInstance } from './bus/operate/rpc-instances.js';
export type { Reason } from './bus/operate/waiting-reasons.js';
export type {
  DeadLetterCounts,
  GroupInspection,
  InspectionOptions,
  MemberInspection,
  TopicInspection,
} from './driver/inspection.js';

// Administration: what operators do to topics and groups

export type {
  AdminOptions,
  BusAdmin,
  DelayedOptions,
  DelayedPublish,
  RemoveGroupOptions,
  SeekOptions,
} from './bus/operate/bus-admin.js';
export type { AuditEntry, SeekOutcome, SeekTarget, SettingOutcome } from './driver/steering.js';

// Handlers: methods that are subscribed, and what they take

export { BusFailureInterceptor, busHttpException } from './nest/bus-failure.interceptor.js';
export {
  DiscoHandlers,
  type HandlerOptions,
  type HandlerOutcome,
  type HandlerStatus,
} from './nest/handlers/disco-handlers.js';
export {
  DiscoContext,
  DiscoPayload,
  type DiscoPayloadOptions,
  type PayloadPipe,
} from './nest/handlers/disco-params.decorator.js';
export {
  type BatchMethodDecorator,
  DiscoSubscribe,
  type DiscoSubscribeOptions,
  type DiscoSubscribeOptionsFactory,
  type Enhancers,
  type HandlerMethodDecorator,
  type Replies,
  type SingleSubscribeOptions,
} from './nest/handlers/disco-subscribe.decorator.js';
export { DISCO_CONTEXT_TYPE } from './nest/handlers/handler-arguments-host.js';
export {
  type DiscoEvent,
  type DiscoEventType,
  OnDiscoEvent,
  type OnDiscoEventOptions,
} from './nest/handlers/on-disco-event.decorator.js';

// Health: whether the application can take work, and what waits

export { DiscoHealth } from './nest/health/disco-health.js';
export type { HealthOptions, ReadinessOptions, Threshold } from './nest/health/health-options.js';
export type {
  BusHealth,
  GroupHealth,
  HealthProblem,
  HealthReport,
  HealthStatus,
  Readiness,
  ServerHealth,
} from './nest/health/health-report.js';

// Middleware: functions around every handler

export { CORRELATION_HEADER, correlation, currentCorrelationId } from './middleware/correlation.js';
export { type DeduplicateOptions, deduplicate } from './middleware/deduplicate.js';
export {
  type MemoryIdempotencyOptions,
  memoryIdempotencyStore,
} from './middleware/memory-idempotency-store.js';
export type { Handler, Middleware } from './middleware/middleware.js';
export { recover } from './middleware/recover.js';
export { type RetryPolicy, retry } from './middleware/retry.js';
export { type TimeoutListener, timeout } from './middleware/timeout.js';
export { validate } from './middleware/validate.js';

// Locks: exclusive, shared and counted, across processes

export type { LockHolder, LockInspection, LockOwner, LockPage } from './driver/lock-inspection.js';
export { currentLock } from './lock/current-lock.js';
export type { Lock } from './lock/lock.js';
export { LockManager, type LockManagerOptions } from './lock/lock-manager.js';
export type { LockObserver, LockOperation, LockOperationStatus } from './lock/lock-observer.js';
export type { LockOptions } from './lock/lock-options.js';
export type { LockedWork, LockScope, ReadWriteLock, Semaphore } from './lock/lock-scope.js';
export type { ForcedRelease, ForceReleaseOptions, LockListOptions } from './lock/lock-steward.js';
export { redlockStore } from './lock/redlock-store.js';
export type { BusLockOptions } from './nest/locks/bus-locks.js';
export { LockBusyInterceptor } from './nest/locks/lock-busy.interceptor.js';
export type { LockKey, LockKeyFunction } from './nest/locks/lock-key.js';
export type { BusyLock, WithLockOptions } from './nest/locks/locked-method.js';
export { WithLock } from './nest/locks/with-lock.decorator.js';

// Codecs: payloads as bytes

export { type Codec, type CodecId, Compression, type EncodedBody } from './codec/codec.js';
export { type CompressionOptions, GzipCodec, type InflateLimit } from './codec/gzip.codec.js';
export { JsonCodec } from './codec/json.codec.js';
export { RawCodec } from './codec/raw.codec.js';

// Tracing: what follows messages from publisher to handler; OpenTelemetry is in `/opentelemetry`

export type {
  Trace,
  TracedAcquire,
  TracedHold,
  TracedMessage,
  TracedOperation,
  TracedPlace,
  TracedProcess,
  TracedProcessBatch,
  TracedPublish,
  TracedPublishBatch,
  TracedRequest,
  TracedSettlement,
  TraceOutcome,
  Tracing,
} from './tracing/tracing.js';

// Metrics: the sink that a bus reports to; Prometheus is in `/prometheus`

export type {
  DropReason,
  GroupMetrics,
  GroupNumbers,
  HandlerMetrics,
  Metrics,
  ProcessedStatus,
  RequestStatus,
  TopicMetrics,
} from './metrics/metrics.js';

// Errors: one family, told apart by `code`

export {
  AbortedError,
  ClosedError,
  ConfigurationError,
  DriverMissingError,
  NotConnectedError,
  TopicConflictError,
} from './errors/bus.errors.js';
export { DiscoBusError, type DiscoBusErrorCode, isDiscoBusError } from './errors/disco-bus-error.js';
export { DriverError } from './errors/driver.errors.js';
export { WouldLoseMessagesError } from './errors/group.errors.js';
export {
  HandlerMissingError,
  HandlerPanicError,
  HandlerTimeoutError,
  PayloadInvalidError,
  UnknownHandlerError,
  UnrecoverableError,
  VersionUnknownError,
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
  ReplyInvalidError,
  ReplyLostError,
  type ReplyLostReason,
  RequestTimeoutError,
  type RequestTimeoutReason,
} from './errors/request.errors.js';
export { NotReplicatedError, StreamFullError } from './errors/stream.errors.js';
