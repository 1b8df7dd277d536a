import type { TopicConsumer } from './topic-consumer.js';

/** What is to be read for one consumer: at most `count` entries of each of its streams. */
export interface ReadTarget {
  readonly consumer: TopicConsumer;
  readonly count: number;
}

/** The consumers with room for more; those without call `again` once they have some. */
export function targetsAmong(consumers: Iterable<TopicConsumer>, again: () => void): ReadTarget[] {
  const targets: ReadTarget[] = [];
  for (const consumer of consumers) {
    const { room, comesBack } = consumer;
    if (room === 0) consumer.whenOpen(again);
    else targets.push({ consumer, count: comesBack ? Math.max(1, Math.floor(room / 2)) : room });
  }
  return targets;
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
