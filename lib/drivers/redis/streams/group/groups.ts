import { ToldOnce } from '../../../../driver/told-once.js';
import { ConfigurationError } from '../../../../errors/bus.errors.js';
import { TopicDirectory } from '../patterns/topic-directory.js';
import { abandonedScript, censusScript, removeGroupScript } from '../scripts/group-scripts.js';
import type { StreamClient } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import { StreamScript } from '../stream-script.js';

const census = new StreamScript(censusScript);
const groupRemoval = new StreamScript(removeGroupScript);
const findAbandoned = new StreamScript(abandonedScript);

/** Abandoned groups that are remembered as reported. */
const TOLD = 10_000;

/** Members of the group that say they are alive, by the server's clock; undefined if only members of patterns may be. */
export async function countMembers(
  context: StreamContext,
  topic: string,
  group: string,
): Promise<number | undefined> {
  const { keys, publish, rights } = context;
  const { members } = keys.group(topic, group);
  const ask = (client: StreamClient) => census.run(client, [members], []);
  const count = Number(await publish.run(rights.before('removal', [members, keys.patterns], ask)));
  if (count > 0) return count;
  return (await new TopicDirectory(keys, publish).hasPatternFor(topic, group)) ? undefined : 0;
}

/** @see GroupRemoval.removeGroup */
export async function removeGroup(context: StreamContext, topic: string, group: string): Promise<boolean> {
  const { admin, keys, options } = context;
  const names = keys.group(topic, group);
  const { stream, members, later, laterBodies, retry, state, delayed, bodies, dead, parts } = names;
  const shared = [stream, members, `${stream}:read`, later, laterBodies];
  const all = [...shared, retry, state, delayed, bodies, dead, parts];
  const remove = (client: StreamClient) => groupRemoval.run(client, all, [group, options.unread.maxAgeMs]);
  const reply = await context.ask('removal', [...all, keys.topics], remove);
  const [there, streamGone] = reply as [number, number];
  if (there < 0) throw new ConfigurationError(`The group "${group}" of "${topic}" has live members`);
  if (streamGone === 1) await admin.run((client) => client.zrem(keys.topics, topic));
  return there === 1;
}

/** A group that nobody reads, and for which its topic fills. */
interface Abandoned {
  readonly group: string;
  readonly messages: number;
  /** Milliseconds since the epoch; undefined where it was never read. */
  readonly since: number | undefined;
}

/** Groups that nobody reads any more, as after a service was renamed: each is reported once, and removed if so configured. */
export class AbandonedGroups {
  private readonly told = new ToldOnce(TOLD);

  constructor(
    private readonly context: StreamContext,
    private readonly remove: (topic: string, group: string) => Promise<boolean>,
  ) {}

  /** Looks at topics that are published to. Never rejects: a topic that cannot be looked at now is looked at the next time. */
  async look(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      for (const each of await this.of(topic).catch(() => []))
        await this.tell(topic, each).catch(() => undefined);
    }
  }

  /** The groups that keep a topic full, in words; undefined where there is none, or Redis cannot be asked. */
  async blame(topic: string): Promise<string | undefined> {
    const found = await this.of(topic, 0).catch(() => []);
    if (found.length === 0) return undefined;
    return found.map((each) => describe(each)).join(', ');
  }

  private async of(
    topic: string,
    silentMs = this.context.options.abandoned.warnAfterMs,
  ): Promise<Abandoned[]> {
    const { keys, publish } = this.context;
    const ask = (client: StreamClient) => findAbandoned.run(client, [keys.topic(topic).stream], [silentMs]);
    const found = (await publish.run(ask)) as [group: string, messages: number, last: string][];
    return found.map(([group, messages, last]) => ({ group, messages, since: Number(last) || undefined }));
  }

  private async tell(topic: string, { group, messages, since }: Abandoned): Promise<void> {
    const { removeAfterMs } = this.context.options.abandoned;
    const removed =
      removeAfterMs !== undefined &&
      Date.now() - (since ?? 0) >= removeAfterMs &&
      (await this.remove(topic, group));
    if (!removed && !this.told.isNew(`${topic} ${group}`)) return;
    this.context.status({ type: 'abandoned', topic, group, messages, since, removed });
  }
}

function describe({ group, messages, since }: Abandoned): string {
  const when = since === undefined ? 'was never read' : `was last read at ${new Date(since).toISOString()}`;
  return `the group "${group}" has no members, holds ${messages} entries and ${when}`;
}
