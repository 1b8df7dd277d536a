import type { Cluster, Redis } from 'ioredis';
import type { DiscoBusError } from '../../../errors/disco-bus-error.js';
import { RedisCommands } from '../redis-client.js';
import { persistFor, type StreamConnection } from '../streams/stream-connection.js';
import { readEntry } from '../streams/stream-entry.js';
import type { StreamKeys } from '../streams/stream-keys.js';

/** An entry as it was stored. */
export interface TailedEntry {
  readonly topic: string;
  readonly position: string;
  /** Undefined for an entry that is none of this package's. */
  readonly frame: Buffer | undefined;
  /** Messages of the topic that were handled and deleted between the entry before and this one, before they could be seen. */
  readonly missed: number;
}

/** How far a topic has been shown. */
interface Place {
  readonly id: string;
  /** Messages that were ever stored up to there; undefined where that is not known. */
  readonly total: number | undefined;
}

/** How long a read waits for entries: topics that turn up are looked for in between. */
const BLOCK_MS = 500;
/** In a Cluster a read waits at one node only, so it does not wait, and is repeated. */
const LOOK_AGAIN_MS = 100;
/** How long a question, or a read, may take. */
const PATIENCE_MS = 5_000;
const READ_AT_ONCE = 16;
/** What an id's second half is divided by for the total: see `append` in the scripts. */
const MOST_MESSAGES = 4096;

/**
 * Shows what is stored of topics as it is stored, by looking: no group is made, nothing is claimed, kept or delayed for it. What
 * is handled and deleted between two looks is missed, and counted.
 */
export class StreamTail {
  private readonly places = new Map<string, Place>();
  private readonly commands = new RedisCommands(PATIENCE_MS);

  /** `reader`: of its own, as reads block it. */
  constructor(
    private readonly reader: StreamConnection,
    private readonly keys: StreamKeys,
  ) {}

  has(topic: string): boolean {
    return this.places.has(topic);
  }

  /** Shows the topic from now on, or, of one that has turned up meanwhile, from its beginning. Rejects for a key that is no stream. */
  async add(topic: string, from: 'now' | 'beginning'): Promise<void> {
    const { stream, counts } = this.keys.topic(topic);
    const ask = async (client: Redis | Cluster) => {
      const [newest] = await client.xrevrange(stream, '+', '-', 'COUNT', 1);
      if (from === 'beginning') return { id: '0-0', total: 0 };
      const [last] = await client.hmget(counts, 'last');
      const id = [newest?.[0] ?? '0-0', last ?? '0-0'].sort(byId)[1];
      return { id, total: totalOf(id) };
    };
    const place = await persistFor(this.reader, ask, PATIENCE_MS);
    this.places.set(topic, place);
  }

  /** What has come since the last call; waits for half a second at most, and may be nothing. */
  async next(): Promise<TailedEntry[]> {
    if (this.places.size === 0) return pause(BLOCK_MS);
    const found = await this.answered(
      this.reader.run((client) =>
        client.isCluster ? this.look(client) : this.read(client, [...this.places.keys()], BLOCK_MS),
      ),
    );
    if (found.length === 0 && this.reader.client?.isCluster) return pause(LOOK_AGAIN_MS);
    return found;
  }

  close(): void {
    this.reader.close();
  }

  /** A blocked connection has no heartbeat, so a silent one is found by its reads. */
  private async answered<Reply>(reading: Promise<Reply>): Promise<Reply> {
    try {
      return await this.commands.run(reading);
    } catch (error) {
      if ((error as DiscoBusError).cause === undefined) this.reader.reset(error as DiscoBusError);
      throw error;
    }
  }

  private async look(client: Redis | Cluster): Promise<TailedEntry[]> {
    const each = await Promise.all([...this.places.keys()].map((topic) => this.read(client, [topic])));
    return each.flat();
  }

  private async read(
    client: Redis | Cluster,
    topics: readonly string[],
    blockMs?: number,
  ): Promise<TailedEntry[]> {
    const streams = topics.map((topic) => this.keys.topic(topic).stream);
    const ids = topics.map((topic) => this.places.get(topic)?.id ?? '0-0');
    const reply =
      blockMs === undefined
        ? await client.xreadBuffer('COUNT', READ_AT_ONCE, 'STREAMS', ...streams, ...ids)
        : await client.xreadBuffer('COUNT', READ_AT_ONCE, 'BLOCK', blockMs, 'STREAMS', ...streams, ...ids);
    const found = (reply ?? []) as [stream: Buffer, entries: [id: Buffer, fields: Buffer[]][]][];
    return found.flatMap(([stream, entries]) => {
      const topic = this.keys.topicOf(String(stream));
      return entries.map(([id, fields]) => this.entry(topic, String(id), fields));
    });
  }

  private entry(topic: string, position: string, fields: readonly Buffer[]): TailedEntry {
    const { frame, messages } = readEntry('S', position, fields);
    const before = this.places.get(topic)?.total;
    const total = totalOf(position);
    this.places.set(topic, { id: position, total });
    const missed = before === undefined || total === undefined ? 0 : total - messages - before;
    return { topic, position, frame, missed: Math.max(0, missed) };
  }
}

/** Messages that were ever stored when the entry was, its own included; ids that others made do not tell. */
function totalOf(id: string): number | undefined {
  const second = Number(id.slice(id.indexOf('-') + 1));
  return second >= MOST_MESSAGES ? Math.floor(second / MOST_MESSAGES) : id === '0-0' ? 0 : undefined;
}

function byId(one: string, other: string): number {
  const [[oneMs, oneSecond], [otherMs, otherSecond]] = [one, other].map((id) => id.split('-').map(Number));
  return oneMs - otherMs || oneSecond - otherSecond;
}

function pause(ms: number): Promise<TailedEntry[]> {
  return new Promise((resolve) => setTimeout(() => resolve([]), ms));
}
