import { fetchScript, heldScript, releaseScript } from '../scripts/settle-scripts.js';
import { persist, type StreamConnection } from '../stream-connection.js';
import { readEntry, type StreamEntry, type StreamLetter } from '../stream-entry.js';
import type { GroupKeys } from '../stream-keys.js';
import { type ScriptArgument, StreamScript } from '../stream-script.js';
import type { ConsumerReports } from './consumer-reports.js';

const heldIds = new StreamScript(heldScript);
const fetchEntries = new StreamScript(fetchScript);
const releaseEntries = new StreamScript(releaseScript);

/** Entries fetched in one call. */
const FETCHED_AT_ONCE = 100;
/** What a leaving consumer gives back of each stream in one call. */
const RELEASED_AT_ONCE = 1_000;

type ReleaseReply = [moved: number, lost: number, outlived: number];

/** What was found by {@link OwnEntries.missing}. */
export interface MissingEntries {
  readonly entries: StreamEntry[];
  /** Entries that are gone from their stream. */
  readonly lost: number;
}

/** The consumer whose entries they are. */
export interface EntriesOwner {
  readonly keys: GroupKeys;
  readonly group: string;
  readonly name: string;
  readonly reports: ConsumerReports;
}

/** An entry that is given back. */
export interface ReturnedEntry {
  readonly entry: StreamEntry;
  /** Its handler has begun: that was an attempt. */
  readonly hasBegun: boolean;
}

/** What Redis counts as in the hands of one consumer of a group. */
export class OwnEntries {
  private readonly keys: GroupKeys;
  private readonly group: string;
  private readonly name: string;

  constructor(
    private readonly owner: EntriesOwner,
    private readonly connection: StreamConnection,
    private readonly maxDeadLetters: number,
  ) {
    this.keys = owner.keys;
    this.group = owner.group;
    this.name = owner.name;
  }

  /** Those that are not among the `held` keys: handed over in a reply that was lost. No delivery is counted for them. */
  async missing(held: () => ReadonlySet<string>): Promise<MissingEntries> {
    const { stream, retry, parts } = this.keys;
    const ids = (await persist(this.connection, (client) =>
      heldIds.run(client, [stream, retry], [this.group, this.name]),
    )) as string[];
    const known = held();
    const unknown = ids.filter((id) => !known.has(id));
    const found: [Buffer, Buffer[], Buffer][] = [];
    for (let at = 0; at < unknown.length; at += FETCHED_AT_ONCE) {
      const args = [this.group, ...unknown.slice(at, at + FETCHED_AT_ONCE)];
      const reply = await persist(this.connection, (client) =>
        fetchEntries.runForBytes(client, [stream, retry, parts], args),
      );
      found.push(...(reply as [Buffer, Buffer[], Buffer][]));
    }
    const there = found.filter(([, fields]) => fields.length > 0);
    return { entries: there.map(entryOf), lost: found.length - there.length };
  }

  /** Gives entries back to the group. Repeated until Redis answers. */
  async release(deliveries: readonly ReturnedEntry[]): Promise<void> {
    const args = [this.group, this.name, 0, this.maxDeadLetters, ...named(deliveries)];
    const reply = await persist(this.connection, (client) =>
      releaseEntries.run(client, this.releaseKeys, args),
    );
    this.owner.reports.outlived((reply as ReleaseReply)[2]);
  }

  /** Gives back everything, and ends the consumer. Tried once. */
  async leave(deliveries: readonly ReturnedEntry[]): Promise<void> {
    const args = [this.group, this.name, 1, this.maxDeadLetters, ...named(deliveries)];
    for (let moved = RELEASED_AT_ONCE; moved >= RELEASED_AT_ONCE; ) {
      const reply = await this.connection.run((client) => releaseEntries.run(client, this.releaseKeys, args));
      const [released, , outlived] = reply as ReleaseReply;
      this.owner.reports.outlived(outlived);
      moved = released;
    }
  }

  private get releaseKeys(): string[] {
    const { stream, retry, state, members, dead, parts } = this.keys;
    return [stream, retry, state, members, dead, parts];
  }
}

function named(deliveries: readonly ReturnedEntry[]): ScriptArgument[] {
  return deliveries.flatMap(({ entry, hasBegun }) => [entry.letter, entry.id, hasBegun ? 1 : 0]);
}

function entryOf([key, fields, settled]: [Buffer, Buffer[], Buffer]): StreamEntry {
  const name = key.toString('latin1');
  return readEntry(name[0] as StreamLetter, name.slice(1), fields, settled.toString('latin1'));
}
