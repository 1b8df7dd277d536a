import type { DiscoDriver } from './driver.js';

/** Which topics are wanted. */
export interface TopicRange {
  /** Only those whose names come behind this one. @default from the first */
  readonly after?: string;
  /** At most this many. */
  readonly limit: number;
}

/** What is wanted of a topic beside its numbers. */
export interface InspectionOptions {
  /** Also how many bytes it takes, which costs the server more. @default false */
  readonly bytes?: boolean;
}

/**
 * A topic that is stored, at one moment. All counts are messages, a bundle's each counted, but for `entries`; all times are
 * milliseconds since the epoch on the clock of the server.
 */
export interface TopicInspection {
  readonly topic: string;
  /** What is promised of its messages: only such topics are stored. */
  readonly delivery: 'at-least-once';
  /** When this was so. */
  readonly at: number;
  /**
   * Messages that not every group has read and settled; of a topic without groups, all that are kept. A bundle counts whole
   * until it is settled. What came back to a group counts with that group only.
   */
  readonly messages: number;
  /** What they are kept in: a bundle is one entry. What every group is done with may be among them for a while. */
  readonly entries: number;
  /** False where `messages` is an estimate. */
  readonly exact: boolean;
  /** What the topic and its groups take on the server. Undefined where that was not asked for, or cannot be told. */
  readonly bytes?: number;
  /** Messages ever stored, delayed ones once they are due: a running total, for rates. It begins anew when the topic was gone. */
  readonly published: number;
  /** When the oldest of `messages` was stored; undefined where there is none. */
  readonly oldestAt?: number;
  /** Published with a delay, and not due yet, or not moved yet. */
  readonly delayed: number;
  /** When the next of them is due. */
  readonly nextDueAt?: number;
  /** Those of them that are due: more than a few, for more than a moment, say that nobody moves them. */
  readonly overdue: number;
  /** By name. */
  readonly groups: readonly GroupInspection[];
}

/**
 * A group of a topic. Of what it has not handled, three numbers say where it is: `waiting`, nobody has it; `held`, a member
 * has read it and not settled it; `running`, the part of `held` that is in a handler. What is tried again later is none of
 * these, but one of the `retries`.
 */
export interface GroupInspection {
  readonly group: string;
  /** Messages that no member has read, those included that came back and are ready to be read again. */
  readonly waiting: number;
  /** Messages that a member has read and not settled, those included that are running. */
  readonly held: number;
  /** Messages whose handlers run, as the live members last reported. */
  readonly running: number;
  /** False where one of the counts is an estimate. */
  readonly exact: boolean;
  /** When the oldest message that waits or is held was stored; of one that came back, when it came back. */
  readonly oldestUnhandledAt?: number;
  /** Messages that are tried again, and wait for their time. */
  readonly retries: number;
  /** When the next of them is due. */
  readonly nextRetryAt?: number;
  readonly deadLetters: DeadLetterCounts;
  /** Nothing is read for it, as somebody wants it so. */
  readonly paused: boolean;
  /** The most messages that each process handles at a time for it, as operators have set it; undefined where they have not. */
  readonly limit?: number;
  /** Up to where it has read the topic; undefined where it has read nothing. */
  readonly position?: string;
  /** When a member last looked after it; undefined where none ever did. */
  readonly lastReadAt?: number;
  /**
   * Messages that it is done with, the dead letters among them: a running total, for rates. Only differences mean anything: it
   * begins with what was published before the group, and a replay lowers it. Undefined where it would be an estimate.
   */
  readonly handled?: number;
  /** By `id`. Members that died are among them until what they held is taken back. */
  readonly members: readonly MemberInspection[];
}

/** The dead letters of a group. */
export interface DeadLetterCounts {
  /** As they are listed: a bundle that was given up whole is one. */
  readonly entries: number;
  readonly messages: number;
  /** Entries by the reason for which they were given up. */
  readonly byReason: Readonly<Record<string, number>>;
}

/** A process that reads a group. */
export interface MemberInspection {
  /** Names it in its group. */
  readonly id: string;
  /** The service's name; like all that follows undefined where it has not said so. */
  readonly service?: string;
  readonly host?: string;
  readonly pid?: number;
  /** The version of this package. */
  readonly version?: string;
  /** It counts as dead from then on, unless it is heard of again; undefined where it cannot die unnoticed. */
  readonly aliveUntil?: number;
  /** Messages that it has read and not settled. */
  readonly held: number;
  /** Those of them that are in a handler, as it last reported. */
  readonly running: number;
  /** Since when the handler that runs longest runs, of a bundle since its first one began; undefined where none runs. */
  readonly runningSince?: number;
  /** When it last reported what it runs. */
  readonly reportedAt?: number;
}

/** A driver that can tell what it keeps, and who reads it. Looking changes nothing, and reads no payload out. */
export interface InspectionProvider {
  /** The names of the topics that are stored, or have a group, by name; an empty list at the end. */
  listTopics(range: TopicRange): Promise<string[]>;
  /** Undefined where the topic is not stored and has no group. */
  inspectTopic(topic: string, options?: InspectionOptions): Promise<TopicInspection | undefined>;
  /** The same for many, by name; an empty list at the end. */
  inspectTopics(range: TopicRange): Promise<TopicInspection[]>;
}

/** The members of a group that are alive at a moment on the clock of the server. */
export function liveMembers(
  { members }: Pick<GroupInspection, 'members'>,
  at: number,
): readonly MemberInspection[] {
  return members.filter(({ aliveUntil }) => aliveUntil === undefined || aliveUntil > at);
}

/** Messages that the group has still to handle, wherever they are. */
export function lagOf({ waiting, held, retries }: GroupInspection): number {
  return waiting + held + retries;
}

/** Whether the driver can tell what it keeps. */
export function offersInspection(driver: DiscoDriver): driver is DiscoDriver & InspectionProvider {
  const { listTopics, inspectTopic, inspectTopics } = driver as Partial<InspectionProvider>;
  return [listTopics, inspectTopic, inspectTopics].every((method) => typeof method === 'function');
}
