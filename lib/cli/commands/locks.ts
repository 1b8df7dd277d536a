import type { LockHolder, LockInspection } from '../../driver/lock-inspection.js';
import { toLockKeys } from '../../lock/lock-options.js';
import { type ForcedRelease, LockSteward } from '../../lock/lock-steward.js';
import { type Command, flag, positional, valued, writeArgs } from '../command.js';
import { failureOf, notFound, usageError } from '../exit-codes.js';
import type { Run } from '../run.js';
import { type Column, count, duration, facts, iso, table } from '../text.js';

/** Locks that are asked for at a time. */
const PAGE = 1_000;

const whereArgs = {
  'lock-prefix': valued(
    'name',
    "What stands before the keys of locks: the services' lock.prefix. Default: --prefix",
  ),
  bare: flag("Locks have bare keys (lock.prefix: ''), as those of the Go library"),
};
const keyArgs = { key: positional('The key, as services give it'), ...whereArgs };

const columns: readonly Column<LockInspection>[] = [
  { name: 'key', of: ({ key }) => key },
  { name: 'mode', of: ({ mode }) => mode },
  { name: 'holders', of: ({ holders, permits }) => permitsOf(holders.length, permits) },
  { name: 'held by', of: ({ holders }) => holders.map(holderText).join(', ') },
  {
    name: 'waiting',
    of: ({ waiting }) => waiting,
    tone: ({ waiting }) => (waiting > 0 ? 'yellow' : undefined),
  },
  { name: 'remaining', of: ({ remainingMs }) => duration(remainingMs) },
];

const holderColumns: readonly Column<LockHolder>[] = [
  { name: 'held by', of: holderText },
  { name: 'since', of: ({ since }) => since && iso(since) },
  { name: 'until', of: ({ until }) => iso(until) },
];

/** `disco-bus locks` */
export const locks: Command = {
  summary: 'Lists and shows locks, and takes one from its holders.',
  commands: {
    list: {
      summary: 'Lists all locks that are held: by whom, how many wait, for how long at most.',
      details:
        'Each look goes through all keys of the server, in steps (SCAN): it is for people, not for a timer. A lock that is taken or\nreleased meanwhile may be missing.',
      examples: ['locks list', "locks list 'order:*' --json", 'locks list --bare'],
      args: { pattern: positional('Only keys that it matches; * stands for any text', false), ...whereArgs },
      patienceMs: Number.POSITIVE_INFINITY,
      run: list,
    },
    show: {
      summary: 'Shows one lock that is held, and each of its holders.',
      examples: ['locks show order:1'],
      args: keyArgs,
      run: show,
    },
    release: {
      summary: 'Takes a lock from all who hold it, and gives it to the next who waits.',
      details:
        'A holder that listens is told at once, another finds out when it extends or releases the lock: until then its work goes\non beside that of the next holder.',
      examples: ['locks release order:1', 'locks release order:1 --yes --by ann'],
      args: { ...keyArgs, ...writeArgs },
      run: release,
    },
  },
};

async function stewardOf(run: Run): Promise<LockSteward> {
  const prefix = run.given.text('lock-prefix');
  const bare = run.given.has('bare');
  if (bare && prefix !== undefined) throw usageError('Give only one of --lock-prefix and --bare');
  const session = await run.session();
  const store = await session.locks(bare ? '' : (prefix ?? run.prefix));
  return new LockSteward(store, (deed) => record(run, deed));
}

/** What was done is done, also where it cannot be written down. */
async function record(run: Run, { key, by, holders }: ForcedRelease): Promise<void> {
  const { driver } = await run.session();
  try {
    await driver.steering().audit({ by, action: 'force release', lock: key, messages: holders });
  } catch (error) {
    run.terminal.tellFailure(`What was done could not be written down: ${failureOf(error).message}`);
  }
}

async function list(run: Run): Promise<void> {
  const match = run.given.text('pattern');
  const steward = await stewardOf(run);
  const found = new Map<string, LockInspection>();
  let cursor: string | undefined;
  do {
    const page = await steward.list({ match, limit: PAGE, cursor });
    for (const lock of page.locks) found.set(lock.key, lock);
    cursor = page.cursor;
  } while (cursor !== undefined && !run.signal.aborted);
  const rows = [...found.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  run.show(rows, () => table(columns, rows, run.terminal.paint));
}

async function show(run: Run): Promise<void> {
  const key = keyOf(run);
  const lock = await heldLock(key, await stewardOf(run));
  run.show(lock, () => {
    const { mode, permits, holders, waiting, remainingMs, fencingToken } = lock;
    const told = facts([
      ['key', key],
      ['mode', mode],
      ['holders', permitsOf(holders.length, permits)],
      ['waiting', waiting],
      ['remaining', duration(remainingMs)],
      ['fencing token', String(fencingToken)],
    ]);
    return `${told}\n\n${table(holderColumns, holders, run.terminal.paint)}`;
  });
}

async function release(run: Run): Promise<void> {
  const key = keyOf(run);
  const steward = await stewardOf(run);
  const { holders, waiting } = await heldLock(key, steward);
  const held = holders.filter(({ reserved }) => !reserved);
  if (held.length === 0)
    throw notFound(`Nobody holds the lock "${key}": it is kept for one who waits for another key, too`);
  const names = held.map(holderText).join(', ');
  await run.confirm(
    `Takes the lock "${key}" from ${names}; ${waiting === 0 ? 'nobody waits' : `${waiting} wait`}.`,
  );
  const lost = await steward.forceRelease(key, { by: run.by });
  if (lost === 0) throw notFound(`Nobody holds the lock "${key}" any more; ${names} did until now`);
  run.show(
    { key, holders: lost, heldBy: held, waiting },
    () => `Taken from ${count(lost, 'holder')}: ${names}`,
  );
}

/** The key that was given, if a lock may have it. */
function keyOf({ given }: Run): string {
  try {
    return toLockKeys(given.word('key'))[0];
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

/** The lock of this key. Rejects where nobody holds it. */
async function heldLock(key: string, steward: LockSteward): Promise<LockInspection> {
  const lock = await steward.inspect(key);
  if (lock.holders.length > 0) return lock;
  const waiting = lock.waiting === 0 ? '' : `, and ${lock.waiting} wait for it`;
  throw notFound(`Nobody holds the lock "${lock.key}"${waiting}`);
}

function permitsOf(holders: number, permits: number | undefined): string | number {
  return permits === undefined ? holders : `${holders} of ${permits}`;
}

function holderText({ owner, reserved }: LockHolder): string {
  const { service, host, pid } = owner ?? {};
  const who = owner === undefined ? 'an unknown process' : `${service ?? 'no bus'} (${host}, ${pid})`;
  return reserved ? `${who}, reserved` : who;
}
