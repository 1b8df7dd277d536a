import { sleep, systemClock } from '../timing/clock.js';
import { flag, valued } from './command.js';
import { CommandFailure, exitCodes, failureOf, isAway } from './exit-codes.js';
import type { Run } from './run.js';
import { iso, json } from './text.js';

/** Flags of commands that can go on looking. */
export const watchArgs = {
  watch: flag('Look again and again, until Ctrl-C'),
  every: valued('duration', 'How often --watch looks. Default: 2s'),
} as const;

const USUAL_PERIOD_MS = 2_000;
/** Who finds out himself that the server is away, and why, may say so first. */
const TELLING_MS = 250;
const CLEAR = '\u001b[H\u001b[2J\u001b[3J';

/** Calls `look`, which prints, once, or with --watch until it says that it is done. An outage is marked and waited for. */
export async function watched(run: Run, look: () => Promise<'done' | undefined>): Promise<void> {
  if (!run.given.has('watch')) {
    await look();
    return;
  }
  const periodMs = run.given.durationMs('every', 50) ?? USUAL_PERIOD_MS;
  await run.session();
  let away = false;
  while (!run.signal.aborted) {
    try {
      const { terminal } = run;
      const outcome = await limited(run, async () => {
        if (away) terminal.tell(`${now()} there is a connection again`);
        return look();
      });
      away = false;
      if (outcome === 'done') return;
    } catch (error) {
      if (!isAway(error)) throw error;
      away = true;
      markOutage(run, failureOf(error).message);
    }
    await sleep(periodMs, systemClock, run.signal);
  }
}

/** `work`, which fails as an unreachable server does where it takes longer than `--timeout`. */
export async function limited<Outcome>(run: Run, work: () => Promise<Outcome>, moreMs = 0): Promise<Outcome> {
  const { timeoutMs } = run;
  const done = new AbortController();
  const late = sleep(timeoutMs + TELLING_MS + moreMs, systemClock, done.signal).then(() => {
    throw new CommandFailure(exitCodes.away, `The server did not answer within ${timeoutMs} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work(), late]);
  } finally {
    done.abort();
  }
}

/** Clears the screen for the next look, where there is one. */
export function nextLook(run: Run): void {
  if (!run.given.has('watch') || run.isJson) return;
  run.terminal.out(run.terminal.isScreen ? `${CLEAR}${now()}` : now());
}

function markOutage(run: Run, text: string): void {
  if (run.isJson) run.terminal.out(json({ at: systemClock.now(), outage: text }));
  else run.terminal.tell(`${now()} outage: ${text}`);
}

function now(): string {
  return iso(systemClock.now());
}
