import type { Cluster, Redis } from 'ioredis';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { lackingRights, missingRights } from '../../rights/missing-rights.js';
import { RightsCheck } from '../../rights/rights-check.js';
import { featureCommands } from '../feature-commands.js';
import type { StreamKeys } from '../stream-keys.js';
import type { ResolvedStreamOptions } from '../stream-options.js';

/** What {@link PublishRights} goes by. */
export interface PublishRightsSetup {
  readonly keys: StreamKeys;
  readonly options: ResolvedStreamOptions;
  /** Something that publishing can do without is refused. */
  readonly hindered: (error: DiscoBusError) => void;
}

/** Makes sure, once, that the user may do all that publishing at least once needs, as configured. */
export class PublishRights {
  private readonly check: RightsCheck;

  constructor(private readonly setup: PublishRightsSetup) {
    const { replicas, abandoned } = setup.options;
    const waits = replicas > 0 ? ['WAIT'] : [];
    const removes = abandoned.removeAfterMs === undefined ? [] : featureCommands.removal;
    this.check = new RightsCheck('publishing at least once', [
      ...new Set([...featureCommands.publish, ...waits, ...removes]),
    ]);
  }

  /** Whether nothing was missing. */
  get passed(): boolean {
    return this.check.passed;
  }

  /** Rejects with DriverError that names what is missing. Who cannot announce topics is found later, and that is told. */
  async assert(client: Redis | Cluster, keys: readonly string[]): Promise<void> {
    await this.check.assert(client, keys);
    const channel = this.setup.keys.topicNews;
    const need = { commands: ['PUBLISH'], keys: keys.slice(0, 1), channel };
    const missing = new Set(await missingRights(client, need).catch(() => []));
    if (missing.size > 0)
      this.setup.hindered(lackingRights('announcing new topics to patterns at once', [...missing]));
  }
}
