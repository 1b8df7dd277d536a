import type { DiscoDriver } from './driver.js';

/** What became of a setting. */
export interface SettingOutcome {
  /** False when the group was set so before. */
  readonly changed: boolean;
  /** Members that are alive. */
  readonly members: number;
  /** Those of them that go by the setting. Fewer than `members` when some did not say so in time: they follow when they are heard of again. */
  readonly confirmed: number;
}

/** Where a group is to go on reading its topic. */
export type SeekTarget =
  /** With the oldest message that is kept. */
  | { readonly to: 'beginning' }
  /** With what is published from now on. */
  | { readonly to: 'end' }
  /** With the first message at or after this time, in ms since the epoch, on the server's clock. */
  | { readonly to: 'time'; readonly at: number }
  /** With the first message at or after this position. */
  | { readonly to: 'position'; readonly position: string };

/** What a seek did. Messages that the group is not to read after all, or that it reads again. */
export interface SeekOutcome {
  readonly skipped: number;
  readonly repeated: number;
  /** Where the group stands now. */
  readonly position: string;
}

/** A message that was published with a delay, and is not due yet. */
export interface DelayedMessage {
  /** Names it among the delayed ones of its topic. */
  readonly id: string;
  /** When it is due, in ms since the epoch, on the server's clock. */
  readonly dueAt: number;
  /** The bytes as they were published. */
  readonly frame: Uint8Array;
}

/** Which delayed messages are wanted. */
export interface DelayedRange {
  /** Leaves out so many that are due before. @default 0 */
  readonly offset?: number;
  /** At most this many. */
  readonly limit: number;
}

/** How many deeds of operators an audit keeps. */
export const AUDIT_KEPT = 1_000;

/** Something that an operator did. */
export interface AuditEntry {
  /** When, in ms since the epoch, on the server's clock. */
  readonly at: number;
  /** Who. */
  readonly by: string;
  /** What, as `pause` or `seek end`. */
  readonly action: string;
  readonly topic?: string;
  readonly group?: string;
  /** The key of a lock. */
  readonly lock?: string;
  /** How many messages it touched; of a lock, how many held it. */
  readonly messages?: number;
}

/**
 * What operators can do to topics and groups, from any process. Calls for a group that is not there reject with
 * ConfigurationError. Repeating a call does no harm.
 */
export interface Steering {
  /** Pauses, resumes or limits a group in all processes; what is not named stays as it is. `limit: null` takes the limit away. Resolves when all live members go by it, or after 15 s. */
  setGroup(
    topic: string,
    group: string,
    setting: { readonly paused?: boolean; readonly limit?: number | null },
  ): Promise<SettingOutcome>;
  /**
   * Moves a group. Rejects with ConfigurationError while it has live members and is not paused; with
   * WouldLoseMessagesError, nothing moved, where messages would be skipped and `skip` does not say so. What members have read
   * already, and what waits for another attempt, stays with the group.
   */
  seekGroup(topic: string, group: string, target: SeekTarget, skip: boolean): Promise<SeekOutcome>;
  /** Drops all that waits for the group: what it has not read, and its retries. Resolves with how many messages that were. */
  purgeGroup(topic: string, group: string): Promise<number>;
  /** Drops all that is stored of a topic that no group reads, delayed messages included. Rejects with ConfigurationError where groups do. */
  purgeTopic(topic: string): Promise<number>;
  /** Delayed messages of a topic, the next one to be due first. */
  delayedMessages(topic: string, range: DelayedRange): Promise<DelayedMessage[]>;
  /** Publishes a delayed message now. False if it is not there any more. */
  publishDelayed(topic: string, id: string): Promise<boolean>;
  /** Deletes a delayed message. False if it is not there any more. */
  removeDelayed(topic: string, id: string): Promise<boolean>;
  /** Writes down what was done. The newest 1,000 are kept, for 30 days after the last. */
  audit(entry: Omit<AuditEntry, 'at'>): Promise<void>;
  /** What was done last, the newest first. */
  audited(limit: number): Promise<AuditEntry[]>;
}

/** A driver whose groups operators can steer. */
export interface SteeringProvider {
  /** To be called once the driver is connected. */
  steering(): Steering;
}

/** Whether operators can steer the driver's groups. */
export function offersSteering(driver: DiscoDriver): driver is DiscoDriver & SteeringProvider {
  return typeof (driver as Partial<SteeringProvider>).steering === 'function';
}
