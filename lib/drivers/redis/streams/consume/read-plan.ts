import type { Redis } from 'ioredis';
import type { StreamClient } from '../stream-connection.js';
import type { StreamLetter } from '../stream-entry.js';
import type { TopicConsumer } from './topic-consumer.js';

/** Where at most one consumer in four has messages, the others are read only every 20 ms. */
const BUSY_PART = 4;
const IDLE_LOOK_MS = 20;
/** The most entries of one read, however many places there are: a reply is parsed in one turn. */
const MOST_ENTRIES = 1_000;

/** What is to be read for one consumer: at most `count` entries of each of its streams. */
export interface ReadTarget {
  readonly consumer: TopicConsumer;
  readonly count: number;
}

/** The consumers that a reader reads for, and which of them it looks at next: all, or those alone that have messages. */
export class ReadPlan {
  readonly consumers = new Set<TopicConsumer>();
  /** Those for which the last look found something. */
  private readonly busy = new Set<TopicConsumer>();
  private lookedAtAllMs = 0;
  private readonly streams = new Map<string, { consumer: TopicConsumer; letter: StreamLetter }>();

  /** `again` is called once there is room for reading where there was none. */
  constructor(private readonly again: () => void) {}

  add(consumer: TopicConsumer): void {
    this.consumers.add(consumer);
    this.streams.set(consumer.member.keys.stream, { consumer, letter: 'S' });
    this.streams.set(consumer.member.keys.retry, { consumer, letter: 'R' });
  }

  /** Nothing more is read for it; replies under way still find it, until `forget`. False if it was not there. */
  remove(consumer: TopicConsumer): boolean {
    this.busy.delete(consumer);
    return this.consumers.delete(consumer);
  }

  forget(consumer: TopicConsumer): void {
    this.streams.delete(consumer.member.keys.stream);
    this.streams.delete(consumer.member.keys.retry);
  }

  /** Consumers with room. */
  all(): ReadTarget[] {
    this.lookedAtAllMs = performance.now();
    return this.among(this.consumers);
  }

  /**
   * A command names all streams that it reads: beside many idle ones, those with messages are read more often. Empty when it
   * is time to look at all.
   */
  busyOnly(): ReadTarget[] {
    const few = this.busy.size > 0 && this.busy.size * BUSY_PART <= this.consumers.size;
    if (!few || performance.now() - this.lookedAtAllMs >= IDLE_LOOK_MS) return [];
    return this.among(this.busy);
  }

  /** A read of its streams was answered; `found` follows where it has messages. */
  looked(consumer: TopicConsumer): void {
    consumer.looked();
    this.busy.delete(consumer);
  }

  /** The consumer whose stream it is, with the stream's letter; it has messages. Undefined for another one's. */
  found(stream: string): { readonly consumer: TopicConsumer; readonly letter: StreamLetter } | undefined {
    const found = this.streams.get(stream);
    if (found !== undefined && this.consumers.has(found.consumer)) this.busy.add(found.consumer);
    return found;
  }

  private among(consumers: Iterable<TopicConsumer>): ReadTarget[] {
    const targets: ReadTarget[] = [];
    for (const consumer of consumers) {
      const room = Math.min(MOST_ENTRIES, consumer.hand.room);
      if (room === 0) consumer.subscriptions.whenOpen(this.again);
      else targets.push({ consumer, count: consumer.comesBack ? Math.max(1, Math.floor(room / 2)) : room });
    }
    return targets;
  }
}

/** COUNT holds for every stream of a command: those with few places must not slow the others down. */
export function sizeClasses(targets: readonly ReadTarget[]): ReadTarget[][] {
  if (targets.length === 1) return [[...targets]];
  const classes = new Map<number, ReadTarget[]>();
  for (const target of targets) {
    const size = 31 - Math.clz32(target.count);
    const present = classes.get(size);
    if (present) present.push(target);
    else classes.set(size, [target]);
  }
  return [...classes.values()];
}

/** What a read brings: entries by stream. */
export type StreamReply = readonly (readonly [
  Buffer,
  readonly (readonly [Buffer, readonly Buffer[] | null])[],
])[];

/** How one read is made. `others`: keys that are read beside those of the targets. */
export interface ReadOptions {
  readonly blockMs?: number;
  readonly streams?: readonly ('retry' | 'stream')[];
  readonly others?: readonly string[];
}

const bothStreams = ['retry', 'stream'] as const;

/** Reads as consumer `name` of `group`. */
export function readGroup(
  client: StreamClient,
  { group, name }: { readonly group: string; readonly name: string },
  targets: readonly ReadTarget[],
  { blockMs = 0, streams = bothStreams, others = [] }: ReadOptions,
): Promise<StreamReply | null> {
  const count = Math.min(...targets.map((target) => target.count));
  const own = targets.flatMap(({ consumer }) => streams.map((stream) => consumer.member.keys[stream]));
  const keys = [...own, ...others];
  const block = blockMs > 0 ? ['BLOCK', blockMs] : [];
  const args = ['GROUP', group, name, 'COUNT', count, ...block, 'STREAMS', ...keys];
  const command = (client as Redis).xreadgroupBuffer as (...given: unknown[]) => Promise<StreamReply | null>;
  return command.call(client, ...args, ...keys.map(() => '>'));
}
