import { el } from './dom.js';

export const number = (value) => value.toLocaleString('en');
export const many = (count, one) => `${number(count)} ${one}${count === 1 ? '' : 's'}`;
export const about = (count, exact) => (exact === false ? `~${number(count)}` : number(count));

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

export function duration(ms) {
  if (ms === undefined) return undefined;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const at = units.findIndex(([, size]) => ms >= size);
  const rest = units[at + 1] && Math.floor((ms % units[at][1]) / units[at + 1][1]);
  return `${Math.floor(ms / units[at][1])} ${units[at][0]}${rest ? ` ${rest} ${units[at + 1][0]}` : ''}`;
}

export const exactTime = (ms) => new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
export const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB');

/** How long ago, or in how long; the exact time when one points at it. */
export function when(ms, now = Date.now()) {
  if (ms === undefined) return undefined;
  const away = Math.abs(now - ms);
  const told = away < 1_000 ? 'now' : ms > now ? `in ${duration(away)}` : `${duration(away)} ago`;
  return el('time', { datetime: new Date(ms).toISOString(), title: exactTime(ms) }, told);
}

export function bytes(count) {
  if (count === undefined) return undefined;
  const step = count < 1_024 ? 0 : count < 1_048_576 ? 1 : 2;
  return `${(count / 1_024 ** step).toFixed(step && count / 1_024 ** step < 100 ? 1 : 0)} ${['B', 'KiB', 'MiB'][step]}`;
}

/** How a group is: a tone and a few words. */
export function stateOf(group, at) {
  const { waiting, held, running, retries, members, paused, limit, nextRetryAt } = group;
  const alive = Array.isArray(members)
    ? members.filter(({ aliveUntil = Number.POSITIVE_INFINITY }) => aliveUntil > at).length
    : members;
  if (paused) return ['warn', 'Paused by an operator'];
  if (alive === 0)
    return waiting + held + retries > 0 ? ['bad', 'No process reads it'] : ['dim', 'No process reads it'];
  if (waiting > 0 && limit) return ['busy', `Limited to ${limit} in each process`];
  if (waiting > 0 && running > 0) return ['busy', 'Busy, others wait their turn'];
  if (waiting > 0) return ['busy', 'About to be read'];
  if (running + held > 0) return ['good', 'At work, nothing waits'];
  if (retries > 0)
    return [
      'busy',
      nextRetryAt > at + 1_000 ? `Tries again in ${duration(nextRetryAt - at)}` : 'Tries again now',
    ];
  return ['good', 'All is handled'];
}

/** What an action did, in words. */
export function outcome(action, body, done) {
  const of = body.group === undefined ? '' : `"${body.group}" of "${body.topic}"`;
  const set = (said, already) => (done.changed === false ? `${of} ${already}` : `${of} ${said}`);
  const told = {
    pause: () => set('is paused', 'was paused already'),
    resume: () => set('reads again', 'was not paused'),
    limit: () =>
      body.limit === null
        ? `${of} has no limit any more`
        : `${of} handles at most ${body.limit} in each process`,
    seek: () => `${of} is moved`,
    purge: () => `${many(done.purged, 'message')} of ${of || `"${body.topic}"`} dropped`,
    replay: () => `The dead letter is handed back to ${of}`,
    remove: () => 'The dead letter is removed',
    'replay-all': () =>
      `${many(done.replayed, 'dead letter')} handed back to ${of}${done.stopped ? '; there was no time for the others' : ''}`,
    'release-lock': () => `The lock "${body.key}" is taken from ${many(done.released, 'holder')}`,
  };
  return `${told[action]()}.`;
}
