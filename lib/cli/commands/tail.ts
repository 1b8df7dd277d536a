import { BundlingDriver } from '../../bundling/bundling-driver.js';
import type { StreamTail } from '../../drivers/redis/diagnosis/stream-tail.js';
import { assertTopicOrPattern } from '../../message/topic-pattern.js';
import { sleep, systemClock } from '../../timing/clock.js';
import { type Command, positional, valued } from '../command.js';
import { failureOf, isAway } from '../exit-codes.js';
import { namesOf } from '../looking.js';
import type { Run } from '../run.js';
import { TailedMessages } from '../tailed-messages.js';
import { iso, json } from '../text.js';

/** How often topics that have turned up are looked for. */
const LOOK_MS = 1_000;
const AGAIN_MS = 500;

/** `disco-bus tail <pattern>` */
export const tail: Command = {
  summary: 'Shows messages as they are published, until Ctrl-C.',
  details:
    'It is a member of no group, so nothing is taken, kept or delayed for it: stored messages are looked at as they are\nstored. What a group has handled and deleted before it could be looked at is counted as missed. Messages at most once\nare subscribed to, and the publisher’s count of receivers has one more for as long.',
  examples: ['tail orders', "tail 'orders.*' --json", "tail '>' --only at-least-once --count 10"],
  args: {
    pattern: positional('Topic or pattern, as orders.* or >'),
    only: valued('guarantee', 'at-least-once or at-most-once. Default: both'),
    count: valued('messages', 'Ends after so many'),
  },
  patienceMs: Number.POSITIVE_INFINITY,
  run: follow,
};

async function follow(run: Run): Promise<void> {
  const pattern = assertTopicOrPattern(run.given.word('pattern'));
  const only = run.given.choice('only', ['at-least-once', 'at-most-once']);
  const most = run.given.whole('count', 1) ?? Number.POSITIVE_INFINITY;
  const { driver } = await run.session();
  const ended = new AbortController();
  const signal = AbortSignal.any([run.signal, ended.signal]);
  const shown = new TailedMessages(run, most, () => ended.abort());
  if (only !== 'at-least-once') await subscribe(run, pattern, shown);
  if (only === 'at-most-once') {
    run.terminal.tell(`Listening to ${pattern}`);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    return;
  }
  const stored = driver.diagnosis().openTail();
  try {
    await addTopics(run, pattern, stored, 'now');
    run.terminal.tell(`Listening to ${pattern}`);
    await Promise.all([watchTopics(run, pattern, stored, signal), showStored(run, stored, shown, signal)]);
  } finally {
    stored.close();
  }
}

async function subscribe(run: Run, pattern: string, shown: TailedMessages): Promise<void> {
  const { driver } = await run.session();
  driver.onStatus((status) => {
    if (status.type === 'gap') mark(run, 'messages at most once may have been missed during an outage');
  });
  const options = { delivery: 'at-most-once', group: 'tail', maxInFlight: 1_000, startFrom: 'new' } as const;
  await new BundlingDriver(driver).subscribe(pattern, options, ({ topic, frame }) =>
    shown.add({ topic, delivery: 'at-most-once', frame }),
  );
}

async function showStored(
  run: Run,
  stored: StreamTail,
  shown: TailedMessages,
  signal: AbortSignal,
): Promise<void> {
  let away = false;
  while (!signal.aborted) {
    try {
      for (const { topic, position, frame, missed } of await stored.next()) {
        if (missed > 0) mark(run, `${missed} messages were handled before they could be shown`, topic);
        shown.add({ topic, delivery: 'at-least-once', position, frame });
      }
      if (away) run.terminal.tell('There is a connection again');
      away = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isAway(error)) throw error;
      if (!away) mark(run, failureOf(error).message);
      away = true;
      await sleep(AGAIN_MS, systemClock, signal);
    }
  }
}

async function watchTopics(
  run: Run,
  pattern: string,
  stored: StreamTail,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await sleep(LOOK_MS, systemClock, signal);
    if (signal.aborted) return;
    try {
      await addTopics(run, pattern, stored, 'beginning');
    } catch (error) {
      // An outage is marked by who reads.
      if (!signal.aborted && !isAway(error)) throw error;
    }
  }
}

const untellable = new WeakMap<StreamTail, Set<string>>();

async function addTopics(
  run: Run,
  pattern: string,
  stored: StreamTail,
  from: 'now' | 'beginning',
): Promise<void> {
  const refused = untellable.get(stored) ?? new Set();
  untellable.set(stored, refused);
  for (const topic of await namesOf(run, pattern)) {
    if (stored.has(topic) || refused.has(topic)) continue;
    try {
      await stored.add(topic, from);
    } catch (error) {
      if (!/WRONGTYPE/.test(failureOf(error).message)) throw error;
      refused.add(topic);
      run.terminal.tellFailure(`"${topic}" cannot be read: ${failureOf(error).message}`);
    }
  }
}

/** Something was not shown, and that is. */
function mark(run: Run, gap: string, topic?: string): void {
  const at = systemClock.now();
  if (run.isJson) run.terminal.out(json({ at, topic, gap }));
  else run.terminal.tell(`${iso(at)} ${topic === undefined ? '' : `"${topic}": `}${gap}`);
}
