import type { DeadLetter } from '../../driver/dead-letters.js';
import type { DriverStatus } from '../../driver/driver-status.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { callGuest } from '../../errors/guest.js';
import {
  aClock,
  aDuration,
  aNumber,
  type OptionKinds,
  options as within,
} from '../../errors/option-kinds.js';
import { type Clock, systemClock } from '../../timing/clock.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import { Agenda } from './agenda.js';
import { DeduplicationIds } from './deduplication-ids.js';
import { FanOut } from './fan-out.js';
import { MemoryLockTable } from './locks/memory-lock-table.js';
import type { LogSettings, UnreadBounds } from './log-settings.js';
import { MemorySteering } from './memory-steering.js';
import { MemoryWatchTurns } from './memory-watch-turns.js';
import { TopicLogs } from './topic-logs.js';
import { TopicUses } from './topic-uses.js';
import { Turn } from './turn.js';

/** How a {@link MemoryBroker} keeps messages. */
export interface MemoryBrokerOptions {
  /** The source of time for everything that waits. @default systemClock */
  clock?: Clock;
  /** How long an id that a caller gave a publish is remembered, unless `maxDeduplicationIds` are remembered already. @default '2m' */
  deduplicationWindow?: Duration;
  /**
   * The most ids remembered at a time, of all topics together. Beyond it the oldest is forgotten for each new one: a publish
   * that repeats it is stored again. Told as the status `deduplication-full`, at most once in a window. @default 100_000
   */
  maxDeduplicationIds?: number;
  /** The most messages a topic keeps at a time; further ones are refused with DriverError. @default 1_000_000 */
  maxLength?: number;
  /** The most bytes of frames a topic keeps at a time, delayed ones included; further ones are refused with DriverError. @default 256 MiB */
  maxBytes?: number;
  /** The most dead letters a group keeps of a topic, and no more than `maxBytes` of their frames. At a bound the oldest give way to each new one, which is told and counted. @default 10_000 */
  maxDeadLetters?: number;
  /**
   * How much is kept of a topic while no group reads it. Beyond it the oldest messages are dropped, told as the status
   * `trimmed`; its publisher is told of such a topic by the status `unread`.
   */
  unread?: MemoryUnreadOptions;
  /** What becomes of a group that nobody reads any more: its topic fills for it. */
  abandoned?: MemoryAbandonedOptions;
}

/** What becomes of a group that nobody reads any more. */
export interface MemoryAbandonedOptions {
  /** Without a member for so long it is told, as the status `abandoned` and an error in the log, when its topic is published to. @default '1m' */
  warnAfter?: Duration;
  /** Without a member for so long it is removed, with all that is kept for it, and that is told. @default never */
  removeAfter?: Duration;
}

/** The bounds of a topic that no group has ever read. */
export interface MemoryUnreadOptions {
  /** Messages; a bundle counts as one. @default 10_000 */
  maxLength?: number;
  /** Bytes of their frames. @default 64 MiB */
  maxBytes?: number;
  /** @default '1d' */
  maxAge?: Duration;
}

const abandonedKinds: OptionKinds<MemoryAbandonedOptions> = {
  warnAfter: aDuration,
  removeAfter: aDuration,
};
const unreadKinds: OptionKinds<MemoryUnreadOptions> = {
  maxLength: aNumber,
  maxBytes: aNumber,
  maxAge: aDuration,
};

/** What each of {@link MemoryBrokerOptions} may be. */
export const brokerKinds: OptionKinds<MemoryBrokerOptions> = {
  clock: aClock,
  deduplicationWindow: aDuration,
  maxDeduplicationIds: aNumber,
  maxLength: aNumber,
  maxBytes: aNumber,
  maxDeadLetters: aNumber,
  unread: within(unreadKinds),
  abandoned: within(abandonedKinds),
};

/** The topics, groups and locks below one prefix: drivers with different prefixes do not meet. */
export interface BrokerSpace {
  readonly fanOut: FanOut;
  readonly logs: TopicLogs;
  readonly uses: TopicUses;
  readonly locks: MemoryLockTable;
  readonly steering: MemorySteering;
  readonly watches: MemoryWatchTurns;
}

/**
 * What a Redis server is to the Redis driver: holds topics, groups, messages and locks for all drivers that are given it, for
 * as long as it is referenced. While no driver is connected it runs no timer; what came due meanwhile is done when
 * the next one connects.
 */
export class MemoryBroker {
  readonly clock: Clock;
  /** Timers of everything that is due later. @internal */
  readonly agenda: Agenda;
  /** Everything that is handed over waits there for the end of the publisher's turn. @internal */
  readonly turn = new Turn();
  private readonly spaces = new Map<string, BrokerSpace>();
  /** What the logs of all prefixes share. */
  private readonly settings: Omit<LogSettings, 'status'>;
  /** Who is told what becomes of topics. */
  private readonly statusListeners = new Set<(prefix: string, status: DriverStatus) => void>();
  private drivers = 0;

  /** `onUnused` is called each time the last driver has gone. */
  constructor(
    options: MemoryBrokerOptions = {},
    private readonly onUnused: () => void = () => {},
  ) {
    assertOptions('MemoryBroker', options, brokerKinds);
    const { clock = systemClock, deduplicationWindow = '2m', maxDeduplicationIds = 100_000 } = options;
    const { maxLength = 1_000_000, maxBytes = 256 * 1024 * 1024, maxDeadLetters = 10_000 } = options;
    assertCount('maxDeduplicationIds', maxDeduplicationIds);
    assertCount('maxLength', maxLength);
    assertCount('maxBytes', maxBytes);
    assertCount('maxDeadLetters', maxDeadLetters);
    this.clock = clock;
    this.agenda = new Agenda(clock);
    const windowMs = toMilliseconds(deduplicationWindow, 'deduplicationWindow');
    this.settings = {
      clock,
      turn: this.turn,
      agenda: this.agenda,
      deduplication: new DeduplicationIds(windowMs, maxDeduplicationIds),
      maxLength,
      maxBytes,
      maxDeadLetters,
      unread: resolveUnread(options.unread),
      abandoned: resolveAbandoned(options.abandoned),
    };
  }

  /** @internal */
  get unread(): UnreadBounds {
    return this.settings.unread;
  }

  /** What `group` has given up of `topic`, oldest first. */
  deadLetters(topic: string, group: string, prefix = 'disco'): readonly DeadLetter[] {
    return this.spaces.get(prefix)?.logs.find(topic)?.findGroup(group)?.deadLetters.all ?? [];
  }

  /** How many messages of `topic` are kept: those that not every group is done with, delayed ones and parts to be tried again. */
  length(topic: string, prefix = 'disco'): number {
    return this.spaces.get(prefix)?.logs.find(topic)?.length ?? 0;
  }

  /** The topics below `prefix`. @internal */
  space(prefix: string): BrokerSpace {
    let space = this.spaces.get(prefix);
    if (space === undefined) {
      const { clock, turn } = this;
      const status = (told: DriverStatus) => {
        for (const listener of this.statusListeners) {
          callGuest(listener, 'A status listener', () => listener(prefix, told));
        }
      };
      const logs = new TopicLogs({ ...this.settings, status });
      const uses = new TopicUses(logs, clock);
      const steering = new MemorySteering(logs, clock);
      const watches = new MemoryWatchTurns(clock);
      const locks = new MemoryLockTable({ clock });
      space = { fanOut: new FanOut(turn), logs, uses, locks, steering, watches };
      this.spaces.set(prefix, space);
    }
    return space;
  }

  /**
   * Calls `listener` with what becomes of topics below each prefix; the returned function ends that.
   * @internal
   */
  onStatus(listener: (prefix: string, status: DriverStatus) => void): () => void {
    this.statusListeners.add(listener);
    return () => void this.statusListeners.delete(listener);
  }

  /** One more driver uses the broker. @internal */
  attach(): void {
    if (this.drivers++ === 0) this.agenda.open();
  }

  /** One driver fewer. @internal */
  detach(): void {
    if (--this.drivers > 0) return;
    this.agenda.close();
    this.onUnused();
  }
}

const named = new Map<string, MemoryBroker>();

/**
 * The broker of the URL `memory:<name>`: all callers in this process with the same name get the same one. It is
 * forgotten, with all it holds, when its last connected driver closes. Without a name, a new one of the caller's own.
 */
export function memoryBroker(name?: string): MemoryBroker {
  if (!name) return new MemoryBroker();
  let broker = named.get(name);
  if (broker === undefined) {
    const created = new MemoryBroker({}, () => {
      if (named.get(name) === created) named.delete(name);
    });
    broker = created;
    named.set(name, broker);
  }
  return broker;
}

function resolveUnread({
  maxLength = 10_000,
  maxBytes = 64 * 1024 * 1024,
  maxAge = '1d',
}: MemoryUnreadOptions = {}) {
  assertCount('unread.maxLength', maxLength);
  assertCount('unread.maxBytes', maxBytes);
  return { maxLength, maxBytes, maxAgeMs: toMilliseconds(maxAge, 'unread.maxAge', { minMs: 1 }) };
}

function resolveAbandoned({ warnAfter = '1m', removeAfter }: MemoryAbandonedOptions = {}) {
  return {
    warnAfterMs: toMilliseconds(warnAfter, 'abandoned.warnAfter', { minMs: 1 }),
    removeAfterMs:
      removeAfter === undefined
        ? undefined
        : toMilliseconds(removeAfter, 'abandoned.removeAfter', { minMs: 1 }),
  };
}

function assertCount(option: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 1) return;
  throw new ConfigurationError(`${option} must be a whole number from 1`);
}
