import type { Cluster, Redis } from 'ioredis';
import type { GroupHindrances } from '../../../driver/group-hindrances.js';
import type { FeatureRights } from '../streams/feature-rights.js';
import { persistFor, type StreamConnection, serverTimeMs } from '../streams/stream-connection.js';
import { isSuspect, readEntry, type StreamLetter } from '../streams/stream-entry.js';
import type { StreamKeys } from '../streams/stream-keys.js';

/** An entry that a member has read and not settled. */
export interface HeldEntry {
  readonly position: string;
  readonly member: string;
  /** A bundle has several. */
  readonly messages: number;
  /** When it was handed to that member, on the server's clock. */
  readonly heldSince: number;
  /** When it was published, on the server's clock. */
  readonly publishedAt: number;
  /** Attempts that failed before. */
  readonly failures: number;
  /** Processes that died while its handler ran. */
  readonly crashes: number;
}

const PATIENCE_MS = 5_000;
const LOOKED_AT = 100;

/** Looks closer at one group than an inspection does. Changes nothing. */
export class GroupDiagnosis {
  constructor(
    private readonly connection: StreamConnection,
    private readonly keys: StreamKeys,
    private readonly rights: FeatureRights,
  ) {}

  async hindrances(topic: string, group: string): Promise<GroupHindrances> {
    const { state, retry } = this.keys.group(topic, group);
    const ask = (client: Redis | Cluster) => client.hmget(state, 'reader', 'reader-until');
    const [reader, readsUntil] = await this.ask([state], ask);
    const returned = await this.ask([retry], (client) =>
      client.xrangeBuffer(retry, '-', '+', 'COUNT', LOOKED_AT),
    );
    const suspects = returned.map(([id, fields]) => readEntry('R', String(id), fields)).filter(isSuspect);
    const holders = suspects.length === 0 ? new Map() : await this.holders(retry, group);
    return {
      soleReader: reader ? { member: reader, readsUntil: Number(readsUntil) } : undefined,
      suspects: suspects.map(({ id, crashes }) => ({ position: id, crashes, member: holders.get(id) })),
    };
  }

  /** What members hold of a group, the longest held first: at most `limit` that came back, and `limit` of the others. */
  async held(topic: string, group: string, limit: number): Promise<HeldEntry[]> {
    const { stream, retry } = this.keys.group(topic, group);
    const found = [
      ...(await this.heldOf('S', stream, group, limit)),
      ...(await this.heldOf('R', retry, group, limit)),
    ];
    return found.sort((one, other) => one.heldSince - other.heldSince);
  }

  private async holders(stream: string, group: string): Promise<Map<string, string>> {
    const pending = await this.pending(stream, group, LOOKED_AT);
    return new Map(pending.map(([id, member]) => [id, member]));
  }

  private async heldOf(
    letter: StreamLetter,
    stream: string,
    group: string,
    limit: number,
  ): Promise<HeldEntry[]> {
    const pending = await this.pending(stream, group, limit);
    if (pending.length === 0) return [];
    const nowMs = Math.floor(await this.ask([stream], serverTimeMs));
    const entries = letter === 'S' ? new Map<string, Buffer[]>() : await this.entries(stream, pending);
    return pending.map(([id, member, idleMs]) => {
      const { messages, failures, crashes, origin } = readEntry(letter, id, entries.get(id) ?? null);
      const publishedAt = Number.parseInt(origin, 10);
      const where = letter === 'S' ? id : origin;
      return { position: where, member, messages, heldSince: nowMs - idleMs, publishedAt, failures, crashes };
    });
  }

  /** What came back says with its fields how often it failed. */
  private async entries(stream: string, pending: readonly Pending[]): Promise<Map<string, Buffer[]>> {
    const [first, last] = [pending[0][0], pending[pending.length - 1][0]];
    const found = await this.ask([stream], (client) => client.xrangeBuffer(stream, first, last));
    return new Map(found.map(([id, fields]) => [String(id), fields]));
  }

  private async pending(stream: string, group: string, limit: number): Promise<Pending[]> {
    const ask = async (client: Redis | Cluster) => {
      try {
        return (await client.xpending(stream, group, '-', '+', limit)) as Pending[];
      } catch (error) {
        // A group to which nothing has ever come back has no such stream.
        if (String((error as Error).message).startsWith('NOGROUP')) return [];
        throw error;
      }
    };
    return this.ask([stream], ask);
  }

  private ask<Reply>(
    keys: readonly string[],
    command: (client: Redis | Cluster) => Promise<Reply>,
  ): Promise<Reply> {
    return persistFor(this.connection, this.rights.before('inspection', keys, command), PATIENCE_MS);
  }
}

/** As XPENDING tells it. */
type Pending = [id: string, member: string, idleMs: number, deliveries: number];
