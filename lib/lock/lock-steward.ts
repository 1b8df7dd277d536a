import {
  forcedReleaseOf,
  type LockInspection,
  type LockPage,
  lockInspectionOf,
} from '../driver/lock-inspection.js';
import type { LockStore } from '../driver/lock-store.js';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aNumber, aString, type OptionKinds } from '../errors/option-kinds.js';
import { toLockKeys } from './lock-options.js';

/** Which held locks to look at. */
export interface LockListOptions {
  /** Only keys that this pattern matches, in which `*` stands for any number of characters. @default all */
  match?: string;
  /** About this many, 1 to 1000: a page may hold fewer or more. @default 100 */
  limit?: number;
  /** The `cursor` of the page before. @default from the beginning */
  cursor?: string;
}

/** Who takes a lock away, for the log and the audit. */
export interface ForceReleaseOptions {
  /** A name; not empty. */
  by: string;
}

/** A lock was taken from its holders. */
export interface ForcedRelease {
  readonly key: string;
  readonly by: string;
  /** How many held it. */
  readonly holders: number;
}

const listKinds: OptionKinds<LockListOptions> = { match: aString, limit: aNumber, cursor: aString };
const forceKinds: OptionKinds<ForceReleaseOptions> = { by: aString };

/** Looks at the locks of a store, and takes them away. */
export class LockSteward {
  constructor(
    private readonly store: LockStore,
    private readonly onForced: (deed: ForcedRelease) => unknown,
  ) {}

  async inspect(key: string): Promise<LockInspection> {
    return lockInspectionOf(this.store).inspect(oneKey(key));
  }

  async list(options: LockListOptions): Promise<LockPage> {
    assertOptions('list', options, listKinds);
    const { match, limit = 100, cursor } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
      throw new ConfigurationError('list: limit must be a whole number from 1 to 1000');
    return lockInspectionOf(this.store).list({ match, limit, cursor });
  }

  async forceRelease(key: string, options: ForceReleaseOptions): Promise<number> {
    assertOptions('forceRelease', options, forceKinds);
    const { by } = options;
    if (by === undefined || by === '') throw new ConfigurationError('forceRelease: by must name who does it');
    const holders = await forcedReleaseOf(this.store).forceRelease(oneKey(key));
    if (holders > 0) await this.onForced({ key, by, holders });
    return holders;
  }
}

function oneKey(key: string): string {
  if (typeof key === 'string') return toLockKeys(key)[0];
  throw new ConfigurationError('That takes the key of one lock');
}

/** Tells operators where nobody else does. */
export function warnOfForce({ key, by, holders }: ForcedRelease): void {
  console.warn(`The lock ${JSON.stringify(key)} was taken from ${holders} holders by ${JSON.stringify(by)}`);
}
