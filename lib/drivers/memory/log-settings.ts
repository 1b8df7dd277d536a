import type { DriverStatus } from '../../driver/driver-status.js';
import type { Clock } from '../../timing/clock.js';
import type { Agenda } from './agenda.js';
import type { DeduplicationIds } from './deduplication-ids.js';
import type { Turn } from './turn.js';

/** What all logs of a broker share. */
export interface LogSettings {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly agenda: Agenda;
  readonly deduplication: DeduplicationIds;
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly maxDeadLetters: number;
  /** What is kept of a topic while it has no group. */
  readonly unread: UnreadBounds;
  readonly abandoned: { readonly warnAfterMs: number; readonly removeAfterMs: number | undefined };
  readonly status: (status: DriverStatus) => void;
}

/** How much is kept of a topic that no group has ever read. */
export interface UnreadBounds {
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}
