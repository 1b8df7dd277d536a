import type { DeadLetteredMessage } from '../../bus/operate/dead-letter-options.js';
import type { DeadLetterCounts } from '../../driver/inspection.js';
import { type Command, positional, valued, writeArgs } from '../command.js';
import { assertPosition, letterOf, noLetter, queueOf } from '../dead-letters.js';
import { messageRow, payloadText } from '../payloads.js';
import type { Run } from '../run.js';
import { type Column, count, facts, iso, table } from '../text.js';
import { edit } from './dead-edit.js';

const groupArgs = { topic: positional('The topic'), group: positional('The group') };
const letterArgs = { ...groupArgs, position: positional('Which, as the list names it') };

const columns: readonly Column<DeadLetteredMessage>[] = [
  { name: 'position', of: ({ position }) => position },
  { name: 'failed', of: ({ failedAt }) => iso(failedAt) },
  { name: 'reason', of: ({ reason }) => reason, tone: () => 'red' },
  { name: 'attempts', of: ({ attempts }) => attempts },
  { name: 'replays', of: ({ replays }) => replays },
  { name: 'error', of: ({ error }) => error && `${error.name}: ${error.message}` },
];

/** `disco-bus dead` */
export const dead: Command = {
  summary: 'Lists, shows, replays, edits and removes dead letters.',
  commands: {
    list: {
      summary: 'Lists the dead letters of a group, the oldest first.',
      examples: [
        'dead list orders billing',
        'dead list orders billing --after 1700000000000-0',
        'dead list orders billing --reason attempts',
      ],
      args: {
        ...groupArgs,
        limit: valued('letters', '1 to 1000. Default: 100'),
        after: valued('position', 'Only those behind it: the last of the page before'),
        reason: valued('reason', 'Only those that were given up for it, as unrecoverable'),
      },
      run: list,
    },
    show: {
      summary: 'Shows one dead letter, with its message.',
      examples: ['dead show orders billing 1700000000000-0'],
      args: letterArgs,
      run: show,
    },
    replay: {
      summary: 'Hands dead letters back to their group, and to no other, as first attempts.',
      details:
        'Without a position: all that are there now, the oldest first. Ctrl-C ends it after the one under way.',
      examples: ['dead replay orders billing 1700000000000-0', 'dead replay orders billing --rate 10 --yes'],
      args: {
        ...groupArgs,
        position: positional('Which, as the list names it; all by default', false),
        rate: valued('number', 'Letters per second. Default: 100'),
        'max-replays': valued('number', 'What was replayed so often stays where it is. Default: 3'),
        ...writeArgs,
      },
      patienceMs: Number.POSITIVE_INFINITY,
      run: replay,
    },
    edit,
    rm: {
      summary: 'Deletes one dead letter for good.',
      args: { ...letterArgs, ...writeArgs },
      run: remove,
    },
    purge: {
      summary: 'Deletes all dead letters of a group for good.',
      examples: ['dead purge orders billing --yes'],
      args: { ...groupArgs, ...writeArgs },
      patienceMs: Number.POSITIVE_INFINITY,
      run: purge,
    },
  },
};

function rowOf({ frame: _, message, ...letter }: DeadLetteredMessage) {
  return { ...letter, message: messageRow(message) };
}

async function list(run: Run): Promise<void> {
  const limit = run.given.whole('limit', 1, 1_000);
  const after = run.given.text('after');
  if (after !== undefined) assertPosition(after);
  const reason = run.given.text('reason');
  const { queue, letters: there } = await queueOf(run);
  const letters = await queue.peek({ limit, after, reason });
  if (reason !== undefined && letters.length === 0 && there.byReason[reason] === undefined)
    run.terminal.tell(`None was given up for "${reason}"; there are ${reasonsText(there)}`);
  run.show(letters.map(rowOf), () => table(columns, letters, run.terminal.paint));
}

function reasonsText({ entries, byReason }: DeadLetterCounts): string {
  const reasons = Object.entries(byReason);
  const uncounted = reasons.reduce((left, [, many]) => left - many, entries);
  const told = reasons.map(([reason, many]) => `${reason} ${many}`);
  if (uncounted > 0) told.push(`${uncounted} whose reasons are not counted`);
  return told.join(', ') || 'none';
}

async function show(run: Run): Promise<void> {
  const { queue, where } = await queueOf(run);
  const letter = await letterOf(queue, run.given.word('position'), where);
  run.show({ ...rowOf(letter), frame: letter.frame }, () =>
    facts([
      ['position', letter.position],
      ['failed', iso(letter.failedAt)],
      ['reason', letter.reason],
      ['error', letter.error && `${letter.error.name}: ${letter.error.message}`],
      ['attempts', letter.attempts],
      ['replays', letter.replays],
      ['published', letter.message && iso(letter.message.timestamp)],
      ['was at', letter.originalPosition],
      ['id', letter.message?.id],
      ['headers', letter.message && JSON.stringify(letter.message.headers)],
      ['payload', payloadText(letter.message, Number.POSITIVE_INFINITY)],
    ]),
  );
}

async function replay(run: Run): Promise<void> {
  const position = run.given.text('position');
  const rate = run.given.whole('rate', 1);
  const maxReplays = run.given.whole('max-replays', 1);
  const { queue, where, letters } = await queueOf(run);
  if (position !== undefined) {
    await letterOf(queue, position, where);
    await run.confirm(`Hands back the dead letter ${position} ${where}.`);
    if (!(await queue.replay(position, { by: run.by }))) throw noLetter(position, where);
    run.show({ replayed: 1, capped: 0 }, () => '1 dead letter handed back');
    return;
  }
  await run.confirm(`Hands back ${count(letters.entries, 'dead letter')} ${where}.`);
  const report = await queue.replayAll({ rate, maxReplays, signal: run.signal, by: run.by });
  const { replayed, capped } = report;
  const left = capped > 0 ? `; ${capped} stay, as they were replayed too often before` : '';
  run.show(report, () => `${count(replayed, 'dead letter')} handed back${left}`);
}

async function remove(run: Run): Promise<void> {
  const position = run.given.word('position');
  const { queue, where } = await queueOf(run);
  await letterOf(queue, position, where);
  await run.confirm(`Deletes the dead letter ${position} ${where} for good.`);
  if (!(await queue.remove(position, { by: run.by }))) throw noLetter(position, where);
  run.show({ removed: 1 }, () => '1 dead letter deleted');
}

async function purge(run: Run): Promise<void> {
  const { queue, where, letters } = await queueOf(run);
  await run.confirm(`Deletes ${count(letters.entries, 'dead letter')} ${where} for good.`);
  const removed = await queue.purge({ by: run.by });
  run.show({ removed }, () => `${count(removed, 'dead letter')} deleted`);
}
