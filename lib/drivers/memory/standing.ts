import type { GroupSetting } from '../../driver/group-setting.js';
import type { DeadLetterCounts } from '../../driver/inspection.js';
import type { Appointment } from './agenda.js';
import type { MemberDelivery } from './group-member.js';
import type { DelayedEntry, LogEntry, Task } from './log-entry.js';
import type { MemberIdentity } from './member-identity.js';

/** What a log holds at one moment. */
export interface LogStanding {
  readonly topic: string;
  readonly entries: ReadonlyMap<number, LogEntry>;
  /** The sequence number that the next entry gets. */
  readonly end: number;
  readonly published: number;
  readonly bytes: number;
  /** What is published with a delay, by position. */
  readonly later: ReadonlyMap<string, DelayedEntry>;
  readonly groups: readonly GroupStanding[];
  /** By the monotonic clock. */
  readonly nowMs: number;
  /** By the wall clock. */
  readonly at: number;
}

/** Where a group stands at one moment. */
export interface GroupStanding {
  readonly group: string;
  readonly setting: GroupSetting;
  /** The sequence number of the next new entry. */
  readonly cursor: number;
  readonly position: string | undefined;
  /** What came back, and is ready. */
  readonly returned: readonly Task[];
  /** What is in flight. */
  readonly deliveries: readonly MemberDelivery[];
  /** What comes back at its time. */
  readonly retries: readonly (readonly [Task, Appointment])[];
  readonly deadLetters: DeadLetterCounts;
  /** A process may be there several times: once for each subscription. */
  readonly members: readonly (MemberIdentity & { readonly deliveries: readonly MemberDelivery[] })[];
  /** When the last member left; undefined while there is one. */
  readonly leftMs: number | undefined;
}
