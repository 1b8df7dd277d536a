import { lagOf } from '../../driver/inspection.js';
import type { SeekTarget, SettingOutcome } from '../../driver/steering.js';
import { type Command, flag, positional, valued, writeArgs } from '../command.js';
import { CommandFailure, exitCodes, failureOf, usageError } from '../exit-codes.js';
import type { Run } from '../run.js';
import { count } from '../text.js';

/** Members that are not nudged hear of a setting within this. */
const CONFIRM_MS = 15_000;
const groupArgs = { topic: positional('The topic'), group: positional('The group'), ...writeArgs };

/** What `disco-bus groups` does to a group. */
export const steering: Readonly<Record<string, Command>> = {
  rm: {
    summary: 'Removes a group that nobody reads any more, with all that is kept for it.',
    details: 'Refused while a member is alive, and, without --discard, where it has anything left to handle.',
    examples: ['groups rm orders old', 'groups rm orders old --discard --yes'],
    args: {
      ...groupArgs,
      discard: flag('What it has not handled, its retries and its dead letters may be lost'),
    },
    run: remove,
  },
  pause: {
    summary: 'Stops a group in all its processes, until it is resumed.',
    examples: ['groups pause orders billing'],
    args: groupArgs,
    patienceMs: CONFIRM_MS,
    run: (run) => set(run, 'Pauses', (admin, topic, group, by) => admin.pauseGroup(topic, group, by)),
  },
  resume: {
    summary: 'Lets a paused group go on.',
    examples: ['groups resume orders billing'],
    args: groupArgs,
    patienceMs: CONFIRM_MS,
    run: (run) => set(run, 'Resumes', (admin, topic, group, by) => admin.resumeGroup(topic, group, by)),
  },
  limit: {
    summary: 'Has each process handle at most so many messages at a time for a group.',
    examples: ['groups limit orders billing 4', 'groups limit orders billing none'],
    args: { ...groupArgs, messages: positional('From 1, or none for no limit') },
    patienceMs: CONFIRM_MS,
    run: limit,
  },
  seek: {
    summary: 'Has a group go on somewhere else in its topic.',
    details:
      'The group has to be paused, or without members. Only what is stored can be read again: what every group has handled\nis not.',
    examples: ['groups seek orders billing --to beginning', 'groups seek orders billing --to end --skip'],
    args: {
      ...groupArgs,
      to: valued('beginning|end', 'With the oldest message that is kept, or with what comes from now on'),
      at: valued('time', 'With the first message at or after this time, as 2026-01-31T12:00:00Z'),
      position: valued('id', 'With the first message at or after this position'),
      skip: flag('Messages that it has not handled may be skipped'),
    },
    run: seek,
  },
  purge: {
    summary: 'Drops what waits for a group, and its retries; not what members hold, nor dead letters.',
    examples: ['groups purge orders billing --yes'],
    args: groupArgs,
    run: purge,
  },
};

async function remove(run: Run): Promise<void> {
  const { topic, group } = await run.group();
  const kept = lagOf(group) + group.deadLetters.messages;
  const discard = run.given.has('discard');
  if (kept > 0 && !discard) {
    const parts = `${group.waiting} waiting, ${group.held} held, ${group.retries} retries, ${group.deadLetters.messages} dead`;
    throw new CommandFailure(
      exitCodes.failed,
      `The group "${group.group}" of "${topic.topic}" has ${count(kept, 'message')} (${parts}), which would be lost: say --discard`,
    );
  }
  await run.confirm(`Removes the group "${group.group}" of "${topic.topic}" with ${count(kept, 'message')}.`);
  const { bus } = await run.session();
  const removed = await bus.admin.removeGroup(topic.topic, group.group, { by: run.by, discard });
  run.show({ topic: topic.topic, group: group.group, removed, messages: kept }, () =>
    removed
      ? `The group "${group.group}" is removed, with ${count(kept, 'message')}`
      : `The group "${group.group}" was gone already`,
  );
}

type Setting = (
  admin: Awaited<ReturnType<Run['session']>>['bus']['admin'],
  topic: string,
  group: string,
  by: { by: string },
) => Promise<SettingOutcome>;

async function set(run: Run, verb: string, apply: Setting): Promise<void> {
  const { topic, group } = await run.group();
  await run.confirm(`${verb} the group "${group.group}" of "${topic.topic}" in all its processes.`);
  const { bus } = await run.session();
  const outcome = await apply(bus.admin, topic.topic, group.group, { by: run.by });
  run.show({ topic: topic.topic, group: group.group, ...outcome }, () => settingText(outcome));
}

function settingText({ changed, members, confirmed }: SettingOutcome): string {
  const done = changed ? 'Done' : 'It was so already';
  if (members === 0) return `${done}; the group has no members`;
  if (confirmed === members) return `${done}; all ${count(members, 'member')} go by it`;
  return `${done}; ${confirmed} of ${members} members say that they go by it, the others follow when they are heard of again`;
}

async function limit(run: Run): Promise<void> {
  const none = run.given.text('messages') === 'none';
  const messages = none ? undefined : run.given.whole('messages', 1);
  const verb = none ? 'Takes away the limit of' : `Limits to ${count(messages ?? 0, 'message')} at a time`;
  await set(run, verb, (admin, topic, group, by) => admin.limitGroup(topic, group, messages, by));
}

async function seek(run: Run): Promise<void> {
  const target = targetOf(run);
  const { topic, group } = await run.group();
  const skip = run.given.has('skip');
  await run.confirm(
    `Moves the group "${group.group}" of "${topic.topic}" to ${'at' in target ? 'a time' : target.to}.`,
  );
  const { bus } = await run.session();
  try {
    const outcome = await bus.admin.seekGroup(topic.topic, group.group, target, { by: run.by, skip });
    run.show(
      { topic: topic.topic, group: group.group, ...outcome },
      () =>
        `${count(outcome.skipped, 'message')} skipped, ${outcome.repeated} read again; it stands at ${outcome.position}`,
    );
  } catch (error) {
    const { code } = error as { code?: string };
    const { exitCode, message } = failureOf(error);
    if (code === 'DISCO_WOULD_LOSE_MESSAGES') throw new CommandFailure(exitCode, `${message}: say --skip`);
    throw error;
  }
}

function targetOf({ given }: Run): SeekTarget {
  const to = given.choice('to', ['beginning', 'end']);
  const at = given.time('at');
  const position = given.text('position');
  if ([to, at, position].filter((each) => each !== undefined).length !== 1)
    throw usageError('Say one of --to beginning, --to end, --at and --position');
  if (to !== undefined) return { to };
  if (at !== undefined) return { to: 'time', at };
  if (!/^\d{1,20}-\d{1,20}$/.test(position ?? ''))
    throw usageError(`--position must be an id, as 1700000000000-0, not "${position}"`);
  return { to: 'position', position: position ?? '' };
}

async function purge(run: Run): Promise<void> {
  const { topic, group } = await run.group();
  const about = group.waiting + group.retries;
  await run.confirm(
    `Drops ${count(about, 'message')} that wait for the group "${group.group}" of "${topic.topic}".`,
  );
  const { bus } = await run.session();
  const messages = await bus.admin.purgeGroup(topic.topic, group.group, { by: run.by });
  run.show(
    { topic: topic.topic, group: group.group, messages },
    () => `${count(messages, 'message')} dropped`,
  );
}
