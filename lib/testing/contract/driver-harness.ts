import { type DeliveryGuarantee, type DriverCapabilities } from '../../driver/capabilities.js';
import { type DiscoDriver, type DriverContext } from '../../driver/driver.js';
import type { InspectionProvider } from '../../driver/inspection.js';
import type { Steering } from '../../driver/steering.js';
import type { TopicAgreements } from '../../driver/topic-agreements.js';
import type { WatchTurns } from '../../driver/watch-turns.js';

/** What the driver contract must know of a driver and its surroundings. Only `createDriver` is required. */
export interface DriverHarness {
  /** A new driver, not connected. All of them reach the same broker, unless `brokerShared` is false. */
  createDriver(): DiscoDriver | Promise<DiscoDriver>;
  /**
   * What the drivers can do, needed when the tests are registered. @default asked of a driver, which is made for that
   * and closed; needed where `createDriver` returns a promise or works only once a server runs
   */
  readonly capabilities?: DriverCapabilities;
  /** The guarantees to be tested. @default all that the driver has */
  readonly guarantees?: readonly DeliveryGuarantee[];
  /** Handed to `connect`. */
  readonly context?: DriverContext;
  /** Whether drivers reach each other. @default true */
  readonly brokerShared?: boolean;
  /** How long what a closed subscription left unsettled is kept from its group. Without it such cases are skipped. */
  readonly visibilityMs?: number;
  /** Moves the clock of drivers that were made with a manual one. @default time passes by itself */
  readonly clock?: { advance(ms: number): Promise<void>; monotonic(): number };
  /** Stops the broker and starts it again; resolves when it answers. Without it such cases are skipped. */
  restartBroker?(): Promise<void>;
  /**
   * Has the broker take what is sent and answer nothing until the returned function has resolved. Without it such cases
   * are skipped.
   */
  stallBroker?(): Promise<() => Promise<void>>;
  /** Ends a driver as a crash of its process would. Without it such cases are skipped. */
  kill?(driver: DiscoDriver): Promise<void>;
  /** A driver whose `connect` fails until `heal` has resolved. Without it such cases are skipped. */
  unreachable?(): Promise<{ driver: DiscoDriver; heal(): Promise<void> }>;
  /** How many timers, sockets and the like are open now. Without it such cases are skipped. */
  openHandles?(): number | Promise<number>;
  /** The drivers have what {@link TopicAgreements} asks for. Without it such cases are skipped. */
  readonly topicAgreements?: true;
  /** The drivers have what {@link InspectionProvider} asks for, their groups can be removed, and their dead letters looked at. Without it such cases are skipped. */
  readonly inspection?: true;
  /** The drivers have what {@link WatchTurns} asks for. Without it such cases are skipped. */
  readonly watchTurns?: true;
  /** Deliveries can be released: {@link Delivery.release}. Without it such cases are skipped. */
  readonly release?: true;
  /** The drivers have what {@link Steering} asks for, and what {@link InspectionProvider} does. Without it such cases are skipped. */
  readonly steering?: true;
  /** How many dead letters of a group the drivers keep; they let them be looked at, too. Small. Without it such cases are skipped. */
  readonly maxDeadLetters?: number;
  /** How many processes may die of a message before the drivers make it a dead letter. Without it such cases are skipped. */
  readonly maxCrashes?: number;
  /** How long to wait for what must come. Milliseconds. @default 10_000 */
  readonly deadlineMs?: number;
  /** How long to wait for what must not come. Milliseconds. @default 50 */
  readonly quietMs?: number;
  /** The long form of each case. @default whether the environment says FULL=1 */
  readonly full?: boolean;
}
