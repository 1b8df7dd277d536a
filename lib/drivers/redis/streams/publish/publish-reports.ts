import type { DriverStatus } from '../../../../driver/driver-status.js';
import { ToldOnce } from '../../../../driver/told-once.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import type { StreamKeys } from '../stream-keys.js';
import type { ResolvedStreamOptions } from '../stream-options.js';

/** There is room again when nothing was refused for so long. */
const ROOM_MS = 1_000;
/** Topics without a group that are remembered as told. */
const UNREAD_TOLD = 10_000;

/** What a publisher tells of the streams that it writes to. */
export class PublishReports {
  /** Entries that gave way in full topics. */
  droppedEntries = 0;
  private isFull = false;
  private refusedMs = 0;
  private readonly told = new ToldOnce(UNREAD_TOLD);

  constructor(
    private readonly keys: StreamKeys,
    private readonly options: ResolvedStreamOptions,
    private readonly status: (status: DriverStatus) => void,
  ) {}

  /** So many entries of a stream that was full gave way. */
  dropped(stream: string, entries: number): void {
    this.droppedEntries += entries;
    this.status({ type: 'trimmed', topic: this.keys.topicOf(stream), entries });
  }

  /** Something was stored in a stream that no group reads. */
  unread(stream: string): void {
    if (!this.told.isNew(stream)) return;
    this.status({ type: 'unread', topic: this.keys.topicOf(stream), ...this.options.unread });
  }

  /** Something that publishing can do without is refused. */
  hindered(error: DiscoBusError): void {
    this.status({ type: 'error', error });
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
    this.status({ type: 'full', full });
  }
}
