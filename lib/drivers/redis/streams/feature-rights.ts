import type { Cluster, Redis } from 'ioredis';
import { RightsCheck } from '../rights/rights-check.js';
import { featureCommands } from './feature-commands.js';

const purposes = {
  patterns: 'subscribing to patterns at least once',
  deadLetters: 'dead letters',
  removal: 'removing and counting groups',
  agreements: 'agreeing how topics are used',
} as const;

type Feature = keyof typeof purposes;

/** The rights that a driver's further features need, each looked at once, before the feature is first used. */
export class FeatureRights {
  private readonly checks = new Map<Feature, RightsCheck>();

  /** `command`, and before it, the first time, the question whether the user may use these keys so. The commands are tried on the first key. */
  before<Reply>(
    feature: Feature,
    keys: readonly string[],
    command: (client: Redis | Cluster) => Promise<Reply>,
  ): (client: Redis | Cluster) => Promise<Reply> {
    const check = this.checks.get(feature) ?? new RightsCheck(purposes[feature], featureCommands[feature]);
    this.checks.set(feature, check);
    if (check.passed) return command;
    return async (client) => {
      await check.assert(client, keys);
      return command(client);
    };
  }
}
