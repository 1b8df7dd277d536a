import { ToldOnce } from '../../../../driver/told-once.js';
import { lackingRights, missingRights } from '../../rights/missing-rights.js';
import { RightsCheck } from '../../rights/rights-check.js';
import { featureCommands } from '../feature-rights.js';
import type { StreamClient } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';

/** There is room again when nothing was refused for this time. */
const ROOM_MS = 1_000;
/** Topics without a group that are remembered as reported. */
const UNREAD_TOLD = 10_000;

/** What a publisher reports of the streams that it writes to. */
export class PublishReports {
  /** Entries that gave way in full topics. */
  droppedEntries = 0;
  private isFull = false;
  private refusedMs = 0;
  private readonly told = new ToldOnce(UNREAD_TOLD);

  constructor(private readonly context: StreamContext) {}

  /** `entries` of a full stream gave way. */
  dropped(stream: string, entries: number): void {
    this.droppedEntries += entries;
    this.context.status({ type: 'trimmed', topic: this.context.keys.topicOf(stream), entries });
  }

  /** Something was stored in a stream that no group reads. */
  unread(stream: string): void {
    if (!this.told.isNew(stream)) return;
    this.context.status({
      type: 'unread',
      topic: this.context.keys.topicOf(stream),
      ...this.context.options.unread,
    });
  }

  /**
   * Whether the server had no memory for what was published last. Nodes of a Cluster are full one by one: there is room
   * again when none has refused for a while.
   */
  full(full: boolean): void {
    if (full) this.refusedMs = performance.now();
    else if (!this.isFull || performance.now() - this.refusedMs < ROOM_MS) return;
    if (this.isFull === full) return;
    this.isFull = full;
    this.context.status({ type: 'full', full });
  }
}

/** Makes sure, once, that the user may do all that publishing at least once needs, as configured. */
export class PublishRights {
  private readonly check: RightsCheck;

  constructor(private readonly context: StreamContext) {
    const { replicas, abandoned } = context.options;
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

  /**
   * Rejects with DriverError that names what is missing. The right to announce topics is not required, as they are found
   * later without it: its absence is reported as a status.
   */
  async assert(client: StreamClient, keys: readonly string[]): Promise<void> {
    await this.check.assert(client, keys);
    const channel = this.context.keys.topicNews;
    const need = { commands: ['PUBLISH'], keys: keys.slice(0, 1), channel };
    const missing = new Set(await missingRights(client, need).catch(() => []));
    if (missing.size === 0) return;
    const error = lackingRights('announcing new topics to patterns at once', [...missing]);
    this.context.status({ type: 'error', error });
  }
}
