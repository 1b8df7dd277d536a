import type { DeadLetteredMessage } from '../bus/operate/dead-letter-options.js';
import type { DeadLetterQueue } from '../bus/operate/dead-letter-queue.js';
import { notFound } from './exit-codes.js';
import type { Run } from './run.js';

/** The dead letters of the group that was given. Rejects where the topic or the group is not there. */
export async function queueOf(run: Run) {
  const { topic, group } = await run.group();
  const { bus } = await run.session();
  const where = `of the group "${group.group}" of "${topic.topic}"`;
  return { queue: bus.deadLetters(topic.topic, group.group), where, letters: group.deadLetters };
}

/** The dead letter at `position`. Rejects where there is none. */
export async function letterOf(
  queue: DeadLetterQueue,
  position: string,
  where: string,
): Promise<DeadLetteredMessage> {
  assertPosition(position);
  const letter = await queue.find(position);
  if (letter === undefined) throw noLetter(position, where);
  return letter;
}

export function noLetter(position: string, where: string) {
  return notFound(`There is no dead letter ${position} ${where}`);
}

/** Throws for what is no position of a dead letter: none can be there. */
export function assertPosition(position: string): void {
  if (/^\d{1,15}-\d{1,19}$/.test(position)) return;
  throw notFound(`"${position}" is no position of a dead letter, as 1700000000000-0`);
}
