import type { Cluster, Redis } from 'ioredis';
import { ConfigurationError } from '../../../../errors/bus.errors.js';
import type { FeatureRights } from '../feature-rights.js';
import { TopicDirectory } from '../patterns/topic-directory.js';
import { censusScript, removeGroupScript } from '../scripts/group-scripts.js';
import { persistFor, type StreamConnection } from '../stream-connection.js';
import type { StreamKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const census = new StreamScript(censusScript);
const groupRemoval = new StreamScript(removeGroupScript);
/** How long a removal may take, with all waiting for a connection. */
const REMOVAL_MS = 5_000;

/** What {@link GroupAdmin} works with. */
export interface GroupAdminSetup {
  readonly keys: StreamKeys;
  readonly rights: FeatureRights;
  /** How long a stream that no group reads any more is kept. Milliseconds. */
  readonly unreadMs: number;
}

/** Counts the members of groups, and removes groups. */
export class GroupAdmin {
  constructor(private readonly setup: GroupAdminSetup) {}

  /** Members of the group that say they are alive, by the server's clock; undefined if only members of patterns may be. */
  async countMembers(
    connection: StreamConnection,
    topic: string,
    group: string,
  ): Promise<number | undefined> {
    const { keys, rights } = this.setup;
    const { members } = keys.group(topic, group);
    const ask = (client: Redis | Cluster) => census.run(client, [members], []);
    const count = Number(await connection.run(rights.before('removal', [members, keys.patterns], ask)));
    if (count > 0) return count;
    return (await new TopicDirectory(connection, keys).hasPatternFor(topic, group)) ? undefined : 0;
  }

  /** @see GroupRemoval.removeGroup */
  async removeGroup(connection: StreamConnection, topic: string, group: string): Promise<boolean> {
    const { keys, rights, unreadMs } = this.setup;
    const { stream, members, later, laterBodies, retry, state, delayed, bodies, dead, parts } = keys.group(
      topic,
      group,
    );
    const shared = [stream, members, `${stream}:read`, later, laterBodies];
    const all = [...shared, retry, state, delayed, bodies, dead, parts];
    const remove = (client: Redis | Cluster) => groupRemoval.run(client, all, [group, unreadMs]);
    const ask = rights.before('removal', [...all, keys.topics], remove);
    const [there, streamGone] = (await persistFor(connection, ask, REMOVAL_MS)) as [number, number];
    if (there < 0) throw new ConfigurationError(`The group "${group}" of "${topic}" has live members`);
    if (streamGone === 1) await connection.run((client) => client.zrem(keys.topics, topic));
    return there === 1;
  }
}
