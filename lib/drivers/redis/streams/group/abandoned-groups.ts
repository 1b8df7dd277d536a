import type { DriverStatus } from '../../../../driver/driver-status.js';
import { ToldOnce } from '../../../../driver/told-once.js';
import { abandonedScript } from '../scripts/group-scripts.js';
import type { StreamConnection } from '../stream-connection.js';
import type { StreamKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const script = new StreamScript(abandonedScript);

/** Groups that are remembered as told. */
const TOLD = 10_000;

/** What {@link AbandonedGroups} works with. */
export interface AbandonedGroupsSetup {
  readonly connection: StreamConnection;
  readonly keys: StreamKeys;
  /** A group without members for so long is not a service that restarts. */
  readonly warnAfterMs: number;
  /** A group that nobody has read for so long is removed; undefined: it is told only. Milliseconds. */
  readonly removeAfterMs: number | undefined;
  readonly status: (status: DriverStatus) => void;
  remove(topic: string, group: string): Promise<boolean>;
}

/** A group that nobody reads, and for which its topic fills. */
interface Abandoned {
  readonly group: string;
  readonly messages: number;
  /** Milliseconds since the epoch; undefined where it was never read. */
  readonly since: number | undefined;
}

/** Groups that nobody reads any more, as after a service was renamed: each is told once, and removed where that is wished. */
export class AbandonedGroups {
  private readonly told = new ToldOnce(TOLD);

  constructor(private readonly setup: AbandonedGroupsSetup) {}

  /** Looks at topics that are published to. Never rejects: who cannot be asked now is asked again. */
  async look(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      for (const each of await this.of(topic).catch(() => []))
        await this.tell(topic, each).catch(() => undefined);
    }
  }

  /** Who holds a topic up, in words; nothing where that is nobody, or cannot be told. */
  async blame(topic: string): Promise<string | undefined> {
    const found = await this.of(topic, 0).catch(() => []);
    if (found.length === 0) return undefined;
    return found.map((each) => describe(each)).join(', ');
  }

  private async of(topic: string, patienceMs = this.setup.warnAfterMs): Promise<Abandoned[]> {
    const { connection, keys } = this.setup;
    const ask = connection.run((client) => script.run(client, [keys.topic(topic).stream], [patienceMs]));
    const found = (await ask) as [group: string, messages: number, last: string][];
    return found.map(([group, messages, last]) => ({ group, messages, since: Number(last) || undefined }));
  }

  private async tell(topic: string, { group, messages, since }: Abandoned): Promise<void> {
    const { removeAfterMs, remove, status } = this.setup;
    const removed =
      removeAfterMs !== undefined &&
      Date.now() - (since ?? 0) >= removeAfterMs &&
      (await remove(topic, group));
    if (!removed && !this.told.isNew(`${topic} ${group}`)) return;
    status({ type: 'abandoned', topic, group, messages, since, removed });
  }
}

function describe({ group, messages, since }: Abandoned): string {
  const when = since === undefined ? 'was never read' : `was last read at ${new Date(since).toISOString()}`;
  return `the group "${group}" has no members, holds ${messages} entries and ${when}`;
}
