import type { DiscoBus } from '../bus/disco-bus.js';
import { type BusLogger, errorFields, errorLine } from '../bus/options/bus-logger.js';
import { JSON_CODEC_ID, JsonCodec } from '../codec/json.codec.js';
import type { TopicDefinition } from '../contract/definition.js';
import { type DiscoBusErrorCode, isDiscoBusError } from '../errors/disco-bus-error.js';
import { type Backoff, backoffDelay } from '../timing/backoff.js';
import type { RowFailure, WaitingRow } from './outbox-rows.js';

/** What became of rows; those in neither list are tried again. */
export interface SentRows {
  readonly sent: readonly string[];
  readonly failed: readonly RowFailure[];
}

/** Errors after which the same row fails again, whenever it is tried. */
const hopeless: ReadonlySet<DiscoBusErrorCode> = new Set<DiscoBusErrorCode>([
  'DISCO_TOPIC_INVALID',
  'DISCO_MESSAGE_UNDEFINED',
  'DISCO_MESSAGE_INVALID',
  'DISCO_MESSAGE_TOO_LARGE',
  'DISCO_CODEC',
  'DISCO_UNRECOVERABLE',
  'DISCO_CONFIGURATION',
]);

/** A topic that could not be published. */
interface Pause {
  attempts: number;
  untilMs: number;
  code: string;
  /** Whether its time was found to be over, so that its rows are read again. */
  over: boolean;
}

const codec = new JsonCodec();

/** Publishes rows under their own ids: those of one key one after the other, all others side by side. */
export class RowSender {
  private readonly paused = new Map<string, Pause>();

  constructor(
    private readonly bus: DiscoBus,
    private readonly backoff: Backoff,
    private readonly logger: BusLogger,
  ) {}

  /** The topics that are not tried yet. */
  pausedTopics(): string[] {
    const now = performance.now();
    for (const pause of this.paused.values()) pause.over ||= pause.untilMs <= now;
    return [...this.paused].filter(([, { over }]) => !over).map(([topic]) => topic);
  }

  /** Milliseconds until the first of them may be tried again, at most `atMostMs`. */
  nextTryMs(atMostMs: number): number {
    const now = performance.now();
    let next = atMostMs;
    for (const { untilMs, over } of this.paused.values())
      if (!over) next = Math.min(next, Math.max(0, Math.ceil(untilMs - now)));
    return next;
  }

  /** Never rejects. Stops between two messages of a key once `signal` aborts. */
  async send(rows: readonly WaitingRow[], signal: AbortSignal): Promise<SentRows> {
    const sent: string[] = [];
    const failed: RowFailure[] = [];
    const stopped = new Set<string>();
    const publish = async (row: WaitingRow): Promise<void> => {
      try {
        await this.publish(row);
        sent.push(row.id);
        this.resume(row.topic);
      } catch (error) {
        if (isDiscoBusError(error) && hopeless.has(error.code))
          failed.push(this.giveUp(row, error.code, error));
        else {
          stopped.add(row.topic);
          this.pause(row.topic, error);
        }
      }
    };
    for (let rest = rows; rest.length > 0 && !signal.aborted; ) {
      const { wave, later } = firstOfEachKey(rest);
      await Promise.all(wave.map(publish));
      rest = later.filter(({ topic }) => !stopped.has(topic));
    }
    return { sent, failed };
  }

  private async publish(row: WaitingRow): Promise<void> {
    const { topic, messageId: id, key, payload, options } = row;
    const { headers, delivery, at, ttl } = options;
    const value = codec.decode({ data: payload, codec: JSON_CODEC_ID, compression: 0 });
    // Of the version that the row was written with, where it is known here.
    const definition = this.definitionOf(row);
    await this.bus.publish<unknown>(definition ?? topic, value, { id, key, headers, delivery, at, ttl });
  }

  private definitionOf({ topic, version }: WaitingRow): TopicDefinition | undefined {
    const newest = this.bus.definitions.find(({ name }) => name === topic);
    for (let each = newest; each !== undefined; each = each.before?.definition)
      if (each.versionNumber === version) return each as TopicDefinition;
    if (newest === undefined || version <= newest.versionNumber) return undefined;
    throw new Error(
      `a row has version ${version}, and this process knows "${topic}" up to ${newest.versionNumber}`,
    );
  }

  private giveUp({ id, topic, messageId }: WaitingRow, code: string, error: unknown): RowFailure {
    this.logger.error(
      `"${topic}": the outbox set message ${messageId} aside, as it can never be published: ${errorLine(error)}`,
      { event: 'outbox-set-aside', topic, messageId, ...errorFields(error) },
    );
    return { id, code, error: errorLine(error) };
  }

  private pause(topic: string, error: unknown): void {
    const code = isDiscoBusError(error) ? error.code : errorLine(error);
    const now = performance.now();
    const known = this.paused.get(topic);
    // Several of one wave failed together.
    if (known !== undefined && !known.over) return;
    const attempts = (known?.attempts ?? 0) + 1;
    this.paused.set(topic, {
      attempts,
      code,
      untilMs: now + backoffDelay(this.backoff, attempts),
      over: false,
    });
    if (known?.code === code) return;
    this.logger.warn(
      `"${topic}": the outbox cannot publish; its rows wait and are tried again: ${errorLine(error)}`,
      { event: 'outbox-waits', topic, ...errorFields(error) },
    );
  }

  private resume(topic: string): void {
    if (this.paused.size === 0) return;
    const known = this.paused.get(topic);
    // Another row of the same wave has just failed.
    if (known === undefined || !known.over) return;
    this.paused.delete(topic);
    this.logger.log(`"${topic}": the outbox publishes again`, { event: 'outbox-goes-on', topic });
  }
}

/** Rows that may travel side by side, and those that follow another row of their topic and key. */
function firstOfEachKey(rows: readonly WaitingRow[]): { wave: WaitingRow[]; later: WaitingRow[] } {
  const seen = new Set<string>();
  const wave: WaitingRow[] = [];
  const later: WaitingRow[] = [];
  for (const row of rows) {
    const name = row.key === undefined ? undefined : `${row.topic} ${row.key}`;
    if (name !== undefined && seen.has(name)) later.push(row);
    else wave.push(row);
    if (name !== undefined) seen.add(name);
  }
  return { wave, later };
}
