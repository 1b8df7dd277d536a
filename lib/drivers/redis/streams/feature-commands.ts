import { commandsOf } from '../rights/script-commands.js';
import { wakeScripts } from './consume/read-waker.js';
import { abandonedScript } from './scripts/abandoned-script.js';
import { agreementScript } from './scripts/agreement-script.js';
import { censusScript } from './scripts/census-script.js';
import { groupExistsScript, purgeScript, replayScript } from './scripts/dead-letter-scripts.js';
import { fetchScript, heldScript, openScript, releaseScript, upkeepScript } from './scripts/group-scripts.js';
import { promoteScript } from './scripts/promote-script.js';
import { publishScript } from './scripts/publish-script.js';
import { removeGroupScript } from './scripts/remove-group-script.js';
import { settleScript } from './scripts/settle-script.js';
import { soleReaderScript } from './scripts/sole-reader-script.js';
import {
  announceScript,
  hearPatternsScript,
  livePatternsScript,
  tidyScript,
} from './scripts/topic-directory-scripts.js';

const directory = [announceScript, tidyScript];

/** What each feature of streams sends on keys, read off the scripts themselves: the rights that its check asks for. */
export const featureCommands = {
  /** Publishing at least once, delayed as well. */
  publish: union(commandsOf(publishScript, promoteScript, abandonedScript, ...directory), ['EXISTS', 'DEL']),
  /** Subscribing at least once, with everything that keeps a group going. */
  consume: union(
    commandsOf(
      openScript,
      upkeepScript,
      releaseScript,
      heldScript,
      fetchScript,
      settleScript,
      soleReaderScript,
    ),
    commandsOf(...wakeScripts, ...directory),
    ['XREADGROUP', 'XACK', 'HSET', 'HDEL', 'EXISTS', 'PEXPIRE'],
  ),
  /** Subscribing to patterns, beside `consume`. */
  patterns: union(commandsOf(hearPatternsScript, livePatternsScript), ['ZSCAN']),
  deadLetters: union(commandsOf(groupExistsScript, replayScript, purgeScript), ['XLEN', 'XRANGE', 'XDEL']),
  removal: union(commandsOf(removeGroupScript, censusScript, livePatternsScript), ['ZREM']),
  agreements: union(commandsOf(agreementScript), ['ZREM']),
} as const satisfies Record<string, readonly string[]>;

function union(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}
