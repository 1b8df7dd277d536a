import { RightsCheck } from '../rights/rights-check.js';
import { commandsOf } from '../rights/script-commands.js';
import * as deadLetters from './scripts/dead-letter-scripts.js';
import * as group from './scripts/group-scripts.js';
import { inspectScript } from './scripts/inspect-script.js';
import { promoteScript, publishScript } from './scripts/publish-scripts.js';
import * as settling from './scripts/settle-scripts.js';
import * as steering from './scripts/steering-scripts.js';
import * as topics from './scripts/topic-scripts.js';
import type { StreamCommand } from './stream-connection.js';

const purposes = {
  patterns: 'subscribing to patterns at least once',
  deadLetters: 'dead letters',
  removal: 'removing and counting groups',
  agreements: 'agreeing how topics are used',
  inspection: 'inspecting topics',
  steering: 'steering groups and topics',
  watching: 'choosing who reads the numbers of groups for the metrics',
} as const;

/** What needs rights of its own, beside publishing and subscribing to topics. */
export type Feature = keyof typeof purposes;

/** Checks the rights that each further feature needs, once, before its first use. */
export class FeatureRights {
  private readonly checks = new Map<Feature, RightsCheck>();

  /**
   * `command`, preceded the first time by the question whether the user has the rights. The server tries the feature's
   * commands on the first key.
   */
  before<Reply>(
    feature: Feature,
    keys: readonly string[],
    command: StreamCommand<Reply>,
  ): StreamCommand<Reply> {
    const check = this.checks.get(feature) ?? new RightsCheck(purposes[feature], featureCommands[feature]);
    this.checks.set(feature, check);
    if (check.passed) return command;
    return async (client) => {
      await check.assert(client, keys);
      return command(client);
    };
  }
}

const directory = [topics.announceScript, topics.tidyScript];
const member = [group.openScript, group.upkeepScript, group.runningScript, group.soleReaderScript];

/** The commands that each feature sends on keys, read off the scripts themselves: its check asks for these rights. */
export const featureCommands = {
  /** Publishing at least once, delayed as well. */
  publish: union(commandsOf(publishScript, promoteScript, group.abandonedScript, ...directory), [
    'EXISTS',
    'DEL',
  ]),
  /** Subscribing at least once, with everything that keeps a group going. */
  consume: union(commandsOf(...member, ...Object.values(settling), ...directory), [
    ...['XREADGROUP', 'XACK', 'HSET', 'HDEL', 'EXISTS', 'PEXPIRE'],
  ]),
  /** Subscribing to patterns, beside `consume`. */
  patterns: union(commandsOf(topics.hearPatternsScript, topics.livePatternsScript), ['ZSCAN']),
  deadLetters: union(commandsOf(...Object.values(deadLetters)), ['XLEN', 'XRANGE', 'XDEL']),
  removal: union(commandsOf(group.removeGroupScript, group.censusScript, topics.livePatternsScript), [
    'ZREM',
  ]),
  agreements: union(commandsOf(topics.agreementScript, topics.listChannelScript), ['ZREM']),
  inspection: union(commandsOf(inspectScript), ['ZSCAN']),
  /** Choosing the process that reads the numbers of groups for the metrics, beside `inspection`. */
  watching: commandsOf(topics.takeWatchScript, topics.leaveWatchScript),
  /** Pausing, moving and purging groups, delayed messages, and what operators did. */
  steering: union(commandsOf(...Object.values(steering), promoteScript), ['XREVRANGE']),
} as const satisfies Record<string, readonly string[]>;

function union(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}
