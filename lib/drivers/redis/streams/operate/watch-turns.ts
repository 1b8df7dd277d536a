import { leaveWatchScript, takeWatchScript } from '../scripts/topic-scripts.js';
import type { StreamContext } from '../stream-context.js';
import { StreamScript } from '../stream-script.js';

const take = new StreamScript(takeWatchScript);
const leave = new StreamScript(leaveWatchScript);

/** @see WatchTurns.takeWatch */
export async function takeWatch(
  context: StreamContext,
  what: string,
  watcher: string,
  leaseMs: number,
): Promise<number> {
  const key = context.keys.watch(what);
  const reply = await context.ask('watching', [key], (client) => take.run(client, [key], [watcher, leaseMs]));
  return Number(reply);
}

/** @see WatchTurns.leaveWatch */
export async function leaveWatch(context: StreamContext, what: string, watcher: string): Promise<void> {
  const key = context.keys.watch(what);
  await context.ask('watching', [key], (client) => leave.run(client, [key], [watcher]));
}
