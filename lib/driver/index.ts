// For authors of drivers and lock stores. Applications import `nestjs-disco-bus`.

// The seam: what a driver can do, what it does, and what it hands over

export type { DeliveryGuarantee, DriverCapabilities, GuaranteeCapabilities } from './capabilities.js';
export type { DeadLetterReason, Delivery, DeliveryPart } from './delivery.js';
export type {
  BufferLimit,
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from './driver.js';

// Deliveries: one at most once, and the hand-over that a failing subscriber cannot harm

export { FanOutDelivery } from './fan-out-delivery.js';
export { handOver } from './guarded-delivery.js';

// Status: what a driver tells of its connection and its store

export {
  type DeadLettered,
  type DeadLettersFull,
  type DriverStatus,
  type DriverStatusListener,
  DriverStatusListeners,
  type MessagesExpired,
} from './driver-status.js';

// Dead letters: for drivers that keep them

export {
  type DeadLetter,
  type DeadLetterProvider,
  type DeadLetterRange,
  type DeadLetterStore,
  offersDeadLetters,
  severalMessages,
} from './dead-letters.js';

// Steering: for drivers whose groups operators can pause, move and purge

export type { GroupSetting } from './group-setting.js';
export {
  type AuditEntry,
  type DelayedMessage,
  type DelayedRange,
  offersSteering,
  type SeekOutcome,
  type SeekTarget,
  type SettingOutcome,
  type Steering,
  type SteeringProvider,
} from './steering.js';

// Groups and agreements: for drivers that know who reads a topic, and how

export { type GroupCensus, offersGroupCensus } from './group-census.js';
export { type GroupRemoval, offersGroupRemoval } from './group-removal.js';
export {
  offersTopicAgreements,
  type TopicAgreements,
  type TopicDissent,
  type TopicUse,
} from './topic-agreements.js';

// Inspection: for drivers that can tell what they keep

export { type BrowseRange, type BrowsingProvider, offersBrowsing, type StoredEntry } from './browsing.js';
export {
  type GroupHindrances,
  type HindranceProvider,
  offersHindrances,
  type ServerMemory,
  type SuspectMessage,
} from './group-hindrances.js';
export {
  type DeadLetterCounts,
  type GroupInspection,
  type InspectionOptions,
  type InspectionProvider,
  type MemberInspection,
  offersInspection,
  type TopicInspection,
  type TopicRange,
} from './inspection.js';
// Lock stores: what operators see of them, and do
export {
  type ForcedReleaseProvider,
  type LockHolder,
  type LockInspection,
  type LockInspectionProvider,
  type LockOwner,
  type LockPage,
  type LockRange,
  offersForcedRelease,
  offersLockInspection,
} from './lock-inspection.js';
export { offersWatchTurns, type WatchTurns } from './watch-turns.js';
// Lock stores: what a LockManager asks

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
} from './lock-store.js';

// Bundling: several messages in one frame, around any driver

export type { BundleLimits } from '../bundling/bundle-lane.js';
export { BundlingDriver, type BundlingOptions } from '../bundling/bundling-driver.js';

// Time: the clock that drivers and lock stores may take

export type { Clock, ClockTimer } from '../timing/clock.js';

// Errors: what a driver or lock store may reject with; the same classes as in `nestjs-disco-bus`

export {
  AbortedError,
  ClosedError,
  ConfigurationError,
  NotConnectedError,
  TopicConflictError,
} from '../errors/bus.errors.js';
export { DiscoBusError, type DiscoBusErrorCode, isDiscoBusError } from '../errors/disco-bus-error.js';
export { DriverError, type DriverErrorOptions } from '../errors/driver.errors.js';
export { WouldLoseMessagesError } from '../errors/group.errors.js';
export { LockUnavailableError } from '../errors/lock.errors.js';
export { MessageTooLargeError } from '../errors/message.errors.js';
export {
  BackpressureError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
} from '../errors/publish.errors.js';
export { NotReplicatedError, StreamFullError } from '../errors/stream.errors.js';
