import type { Cluster, Redis } from 'ioredis';
import type { TopicDissent, TopicUse } from '../../../../driver/topic-agreements.js';
import type { FeatureRights } from '../feature-rights.js';
import { agreementScript } from '../scripts/topic-scripts.js';
import { persistFor, type StreamConnection } from '../stream-connection.js';
import type { StreamKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const agreement = new StreamScript(agreementScript);
/** How a use is written: the scripts compare the letters. */
const letters = { least: 'L', most: 'M', bare: 'B' } as const;
/** A Cluster has found itself within this, or is not asked how a topic is used. */
const CLUSTER_READY_MS = 2_000;
/** So many topics are released in one turn. */
const RELEASED_TOGETHER = 1_000;

/** Keeps on the server how topics are used, so that all who use one do it in the same way. */
export class TopicUses {
  constructor(
    private readonly keys: StreamKeys,
    private readonly rights: FeatureRights,
  ) {}

  /** @see TopicAgreements.agreeOn. `waits`: for a connection, as the client of a Cluster is made with the first question. */
  async agreeOn(
    { connection, waits }: { readonly connection: StreamConnection; readonly waits: boolean },
    topic: string,
    { use, by, holdMs }: { readonly use: TopicUse; readonly by: string; readonly holdMs: number },
  ): Promise<TopicDissent | undefined> {
    const keys = [this.keys.uses(topic), this.keys.topic(topic).stream];
    const args = [letterOf(use), by, Math.ceil(holdMs)];
    const agree = (client: Redis | Cluster) => agreement.run(client, keys, args);
    const ask = this.rights.before('agreements', keys, agree);
    const asked = waits ? persistFor(connection, ask, CLUSTER_READY_MS) : connection.run(ask);
    const others = (await asked) as string[];
    return others.length === 0 ? undefined : dissent(others);
  }

  /** @see TopicAgreements.releaseTopics */
  async releaseTopics(connection: StreamConnection, topics: readonly string[], by: string): Promise<void> {
    const members = Object.values(letters).map((letter) => `${letter} ${by}`);
    for (let index = 0; index < topics.length; index += RELEASED_TOGETHER) {
      const some = topics.slice(index, index + RELEASED_TOGETHER).map((topic) => this.keys.uses(topic));
      await connection.run((client) => Promise.all(some.map((key) => client.zrem(key, ...members))));
    }
  }
}

function letterOf({ delivery, bare }: TopicUse): string {
  if (delivery === 'at-least-once') return letters.least;
  return bare ? letters.bare : letters.most;
}

function dissent(others: readonly string[]): TopicDissent {
  const [letter] = others[0];
  return {
    delivery: letter === letters.least ? 'at-least-once' : 'at-most-once',
    bare: letter === letters.bare,
    by: others.map((other) => other.slice(2)),
  };
}
