/** `S`: the topic's stream, `R`: the group's own, where retries come back. */
export type StreamLetter = 'S' | 'R';

/** The fields of an entry. */
export interface StreamEntry {
  readonly letter: StreamLetter;
  readonly id: string;
  /** How many messages it carries, settled ones included. */
  readonly messages: number;
  /** Undefined for an entry that is none of this package's. */
  readonly frame: Buffer | undefined;
  readonly failures: number;
  /** Processes that died while its handler ran. */
  readonly crashes: number;
  /** Processes that died while they held it and its handler had not begun, since it last ran; 2 where it may have begun. */
  readonly deaths: number;
  /** Of a bundle: the parts whose handlers ran at the last crash; empty when that is not known. */
  readonly begunParts: readonly number[];
  /** Attempts that ended without an outcome because their driver was closed. */
  readonly releases: number;
  /** How often it was released, to wait for another member. */
  readonly waits: number;
  /** Where it was stored first. */
  readonly origin: string;
  /** On the server's clock; 0 for never. */
  readonly expiresMs: number;
  readonly replays: number;
  readonly settledParts: readonly number[];
  /** All there is, when there is no frame. */
  readonly raw?: Buffer;
}

/** More messages than this are in no entry: see `append` in the scripts. */
const MOST_MESSAGES = 4096;
const FRAME = 0x66;
/** An entry's id, or of a part of a bundle its id and number. */
const place = /^\d{1,20}-\d{1,20}(#\d{1,4})*$/;
const none: readonly number[] = [];

/** From this many deaths on, an entry is tried alone, even if no handler of it had begun. */
const MOST_DEATHS = 2;

/** Whether an entry may have crashed a process, and so is to be tried alone. */
export function isSuspect({ crashes, deaths }: StreamEntry): boolean {
  return crashes > 0 || deaths >= MOST_DEATHS;
}

/** Reads the fields of an entry. Never throws, whatever they hold. */
export function readEntry(
  letter: StreamLetter,
  id: string,
  fields: readonly Buffer[] | null,
  settled = '',
): StreamEntry {
  // What every publish writes, without a closer look.
  if (fields?.length === 2 && isFrameName(fields[0])) return fresh(letter, id, fields[1], settled);
  const named = new Map<string, Buffer>();
  for (let index = 0; index + 1 < (fields?.length ?? 0); index += 2) {
    named.set(fields![index].toString('latin1'), fields![index + 1]);
  }
  const text = (name: string) => named.get(name)?.toString('latin1') ?? '';
  const frame = named.get('f');
  return {
    letter,
    id,
    messages: messagesOf(id),
    frame,
    failures: count(text('a')),
    crashes: count(text('c')),
    deaths: count(text('u')),
    begunParts: partsOf(text('b')),
    releases: count(text('n')),
    waits: count(text('w')),
    origin: place.test(text('o')) ? text('o') : id,
    expiresMs: count(text('x')),
    replays: count(text('r')),
    settledParts: partsOf(settled || text('s')),
    raw: frame === undefined ? Buffer.concat(fields ?? []) : undefined,
  };
}

/** What is known of an entry, in the fields of its way back to its group; `deaths` and `waits` where there are any. */
export function countsOf(entry: StreamEntry): (string | number)[] {
  const { failures, crashes, releases, deaths, waits, expiresMs, replays } = entry;
  const fields = ['a', failures, 'c', crashes, 'n', releases, 'x', expiresMs || '', 'r', replays];
  if (deaths > 0) fields.push('u', deaths);
  if (waits > 0) fields.push('w', waits);
  return fields;
}

function fresh(letter: StreamLetter, id: string, frame: Buffer, settled: string): StreamEntry {
  return {
    letter,
    id,
    messages: messagesOf(id),
    frame,
    failures: 0,
    crashes: 0,
    deaths: 0,
    begunParts: none,
    releases: 0,
    waits: 0,
    origin: id,
    expiresMs: 0,
    replays: 0,
    settledParts: settled === '' ? none : partsOf(settled),
    raw: undefined,
  };
}

/** The scripts write it into the second half of an id, beside a running total; an id that others made is of one message. */
function messagesOf(id: string): number {
  const second = Number(id.slice(id.indexOf('-') + 1));
  return second >= MOST_MESSAGES ? (second % MOST_MESSAGES) + 1 : 1;
}

function isFrameName(name: Buffer): boolean {
  return name.length === 1 && name[0] === FRAME;
}

function count(text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function partsOf(list: string): readonly number[] {
  return list === '' ? none : list.split(',').map(Number).filter(Number.isSafeInteger);
}

/** Which parts of one entry's bundle are settled. */
export class EntryParts {
  /** In earlier attempts; undefined where there are none. */
  readonly before: ReadonlySet<number> | undefined;
  private readonly settled = new Set<number>();
  /** Parts acknowledged in this attempt; retries and dead letters of parts are recorded with those. */
  private readonly acknowledged: number[] = [];
  /** How many of them Redis knows. */
  private recorded = 0;

  constructor(before: readonly number[]) {
    if (before.length > 0) this.before = new Set(before);
  }

  /** How many are settled. */
  get size(): number {
    return this.settled.size + (this.before?.size ?? 0);
  }

  has(index: number): boolean {
    return this.settled.has(index) || this.before?.has(index) === true;
  }

  /** True for the one call that settles it. */
  settle(index: number): boolean {
    if (this.has(index)) return false;
    this.settled.add(index);
    return true;
  }

  acknowledge(index: number): void {
    this.acknowledged.push(index);
  }

  /** Those acknowledged that Redis may not know of. Earlier ones stand in the entry, until some are recorded beside it. */
  get unrecorded(): readonly number[] {
    const { acknowledged, recorded, before = [] } = this;
    return recorded === 0 ? [...before, ...acknowledged] : acknowledged.slice(recorded);
  }

  /** To be called before `unrecorded` is sent; the result is to be called once Redis has recorded it. */
  send(): () => void {
    const sent = this.acknowledged.length;
    return () => {
      this.recorded = Math.max(this.recorded, sent);
    };
  }
}
