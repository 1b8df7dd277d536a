import type { GroupMember } from '../group/group-member.js';
import { fetchScript, heldScript, releaseScript } from '../scripts/settle-scripts.js';
import { persist, type StreamClient } from '../stream-connection.js';
import { readEntry, type StreamEntry, type StreamLetter } from '../stream-entry.js';
import { type ScriptArgument, StreamScript } from '../stream-script.js';
import type { Hand } from './hand.js';
import type { StreamDelivery } from './stream-delivery.js';

const heldIds = new StreamScript(heldScript);
const fetchEntries = new StreamScript(fetchScript);
const releaseEntries = new StreamScript(releaseScript);

/** Entries fetched in one call. */
const FETCHED_AT_ONCE = 100;
/** What a leaving consumer gives back of each stream in one call. */
const RELEASED_AT_ONCE = 1_000;

type ReleaseReply = [moved: number, lost: number, outlived: number, unreadable: number];

/** What Redis counts as in the hands of one member of a group: finds what is missing here, and gives back what is unsettled. */
export class OwnEntries {
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly member: GroupMember,
    private readonly hand: Hand,
    private readonly on: {
      /** Nothing that was read waits any more. */
      waitingGone(): void;
      /** What a subscription had left behind is given back. */
      gone(): void;
    },
  ) {}

  /**
   * The entries that Redis counts and the hand does not hold: their reply was lost. No delivery is counted for them. `lost`:
   * how many are gone from their stream.
   */
  async missing(): Promise<{ readonly entries: StreamEntry[]; readonly lost: number }> {
    const { connection, group, name } = this.member;
    const { stream, retry, parts } = this.member.keys;
    const ids = (await persist(connection, (client) =>
      heldIds.run(client, [stream, retry], [group, name]),
    )) as string[];
    const held = this.hand.keys();
    const unknown = ids.filter((id) => !held.has(id));
    const found: [Buffer, Buffer[], Buffer][] = [];
    for (let at = 0; at < unknown.length; at += FETCHED_AT_ONCE) {
      const args = [group, ...unknown.slice(at, at + FETCHED_AT_ONCE)];
      const reply = await persist(connection, (client) =>
        fetchEntries.runForBytes(client, [stream, retry, parts], args),
      );
      found.push(...(reply as [Buffer, Buffer[], Buffer][]));
    }
    const there = found.filter(([, fields]) => fields.length > 0);
    return { entries: there.map(entryOf), lost: found.length - there.length };
  }

  /** What `holder` has left unsettled goes back after `delayMs`. */
  giveBackLater(holder: StreamDelivery['holder'], delayMs: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      const unsettled = this.hand.deliveries.filter((delivery) => delivery.holder === holder);
      void this.giveBack(unsettled).then(() => this.on.gone());
    }, delayMs);
    timer.unref();
    this.timers.add(timer);
  }

  /** What was read and not handed over goes back. */
  async giveBackWaiting(): Promise<void> {
    const waiting = this.hand.takeBack();
    this.on.waitingGone();
    await this.giveBack(waiting);
  }

  /** Takes a delivery that is settled, or given back, off the hand. */
  drop(delivery: StreamDelivery): void {
    if (this.hand.settled(delivery)) delivery.holder?.ended();
  }

  /** Nothing goes back later. */
  stop(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  /** Gives back everything, and ends the consumer. Tried once. */
  async leave(deliveries: readonly StreamDelivery[]): Promise<void> {
    for (let moved = RELEASED_AT_ONCE; moved >= RELEASED_AT_ONCE; )
      moved = await this.member.connection.run(this.release(deliveries, 1));
  }

  private async giveBack(deliveries: readonly StreamDelivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) delivery.phase = 'over';
    // What cannot be released comes back when this consumer counts as dead.
    await persist(this.member.connection, this.release(deliveries, 0)).catch(() => undefined);
    for (const delivery of deliveries) this.drop(delivery);
  }

  /** A command that gives entries back and resolves with how many it moved. */
  private release(deliveries: readonly StreamDelivery[], leaves: 0 | 1) {
    const { group, name, options } = this.member;
    const { stream, retry, state, members, dead, parts } = this.member.keys;
    const args: ScriptArgument[] = [group, name, leaves, options.maxDeadLetters];
    for (const { entry, hasBegun } of deliveries) args.push(entry.letter, entry.id, hasBegun ? 1 : 0);
    return async (client: StreamClient): Promise<number> => {
      const reply = await releaseEntries.run(client, [stream, retry, state, members, dead, parts], args);
      const [moved, lost, dropped, unreadable] = reply as ReleaseReply;
      if (lost > 0) this.member.dataLost();
      this.member.lettersDropped(dropped);
      this.member.gaveUp({ unreadable });
      return moved;
    };
  }
}

function entryOf([key, fields, settled]: [Buffer, Buffer[], Buffer]): StreamEntry {
  const name = key.toString('latin1');
  return readEntry(name[0] as StreamLetter, name.slice(1), fields, settled.toString('latin1'));
}
