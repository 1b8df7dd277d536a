export {
  type Delivered,
  DiscoTest,
  type SettledOptions,
} from './application/disco-test.js';
export { NotSettledError } from './application/not-settled.error.js';
export type { DeliveredMessage } from './application/test-context.js';
export { type TestLocksOptions, withTestLocks } from './application/unit-locks.js';
export type {
  DeadLetteredInTest,
  HandledMessage,
  PublishedMessage,
  RequestedMessage,
} from './application/witnessed-bus.js';
export { type ChaosCounts, ChaosDriver, type ChaosRules } from './chaos-driver.js';
export { type CodecHarness, describeCodec, runCodecCase } from './contract/codec-contract.js';
export type {
  ContractIt,
  ContractRunner,
} from './contract/contract-runner.js';
export type { DriverCase, DriverNeed } from './contract/driver-case.js';
export {
  checkDriver,
  type DriverCaseResult,
  describeDriver,
  driverCases,
} from './contract/driver-contract.js';
export type { DriverHarness } from './contract/driver-harness.js';
export { DriverStage, type InboxOptions } from './contract/driver-stage.js';
export { Inbox, type InboxHandler } from './contract/inbox.js';
export { DriverDecorator } from './driver-decorator.js';
export type { LockStoreCase } from './lock-store-case.js';
export { describeLockStore, lockStoreCases, runLockStoreCase } from './lock-store-contract.js';
export type { LockStoreHarness, LockStoreNeed } from './lock-store-harness.js';
export type { LockStoreStage } from './lock-store-stage.js';
export { ManualClock } from './manual-clock.js';
export { type SimulationResult, simulate } from './simulation/simulate.js';
export { SimulatedInstance } from './simulation/simulated-instance.js';
export {
  SimulationError,
  type SimulationFailure,
  type SimulationReport,
} from './simulation/simulation.error.js';
export type {
  SimulateOptions,
  SimulationFaults,
  SimulationStep,
} from './simulation/simulation-options.js';
