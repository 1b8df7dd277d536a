import { hostname } from 'node:os';
import type { Cluster, Redis } from 'ioredis';
import {
  keyMatcher,
  type LockHolder,
  type LockInspection,
  type LockOwner,
  type LockPage,
  type LockRange,
  OWNER_TAG_DIGITS,
} from '../../../driver/lock-inspection.js';
import type { LockState } from '../../../driver/lock-store.js';
import { ConfigurationError } from '../../../errors/bus.errors.js';
import { LockCall, type LockCallHeader } from './lock-call.js';
import { type LockKeys, lockFinder } from './lock-keys.js';
import { forceOperation } from './lock-operation.js';
import type { LockServer } from './lock-server.js';

/** Who a process is, is kept for so long after it was last written, and written again after so long. */
const OWNER_KEPT_MS = 3 * 3_600_000;
const OWNER_RENEWED_MS = 3_600_000;
/** A page looks at no more keys of the server than about this many. */
const MOST_KEYS = 100_000;
const KEYS_AT_A_TIME = 1_000;

/** What an oversight is made of. */
export interface LockOversightParts {
  readonly server: LockServer;
  readonly prefix: string;
  readonly keysOf: (key: string) => LockKeys;
  readonly service: string | undefined;
  /** The channel on which this process is told. */
  readonly inbox: string;
  /** Of every call of the store. */
  readonly header: () => LockCallHeader;
}

/** What is kept of a process. */
interface OwnerRecord extends LockOwner {
  readonly inbox: string;
}

/** Who holds the locks of a server: looks, takes them away, and keeps there who this process is. */
export class LockOversight {
  private readonly tags = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: LockOversightParts) {}

  introduce(tag: string): void {
    this.tags.add(tag);
    this.timer ??= setInterval(() => this.write(), OWNER_RENEWED_MS).unref();
    this.write();
  }

  /**
   * Writes down who this process is: once connected, and then again and again. Where that cannot be done, as without the right to,
   * its locks are held by nobody known.
   */
  write(): void {
    const { server, service, inbox } = this.parts;
    if (!server.isOpen) return;
    const record = JSON.stringify({ service, host: hostname(), pid: process.pid, inbox });
    for (const tag of this.tags) {
      server
        .ask((client) => client.set(this.ownerKey(tag), record, 'PX', OWNER_KEPT_MS), this.ownerKey(tag))
        .catch(() => undefined);
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  async peek(key: string): Promise<LockState> {
    const reply = await this.parts.server.peek(this.parts.keysOf(key));
    const [kind, holders, left, waiting, token] = reply as [string, number, number, number, string];
    return {
      holders,
      ...(holders > 0 && { mode: kind === 'zset' ? 'shared' : 'exclusive' }),
      remainingMs: Math.max(0, left),
      waiting,
      fencingToken: BigInt(token),
    };
  }

  async inspect(key: string): Promise<LockInspection> {
    const reply = await this.parts.server.inspect(this.parts.keysOf(key));
    const [kind, now, waiting, fence, ...held] = reply as [string, number, number, string, ...unknown[]];
    const [, number, permits] = /^(\d+)(?: (\d+))?/.exec(fence) ?? [];
    const fencingToken = BigInt(number ?? 0);
    const state = { key, waiting, fencingToken };
    if (held.length === 0) return { ...state, holders: [], remainingMs: 0 };
    const since = kind === 'string' ? grantedAt(fencingToken, now) : undefined;
    const holders: LockHolder[] = [];
    for (let at = 0; at < held.length; at += 2) {
      const [name, until] = [held[at] as string, held[at + 1] as number];
      const reserved = name.startsWith('~');
      const owner = await this.ownerOf(reserved ? name.slice(1) : name);
      holders.push({
        ...(owner && { owner: withoutInbox(owner) }),
        ...(since !== undefined && !reserved && { since }),
        until,
        ...(reserved && { reserved }),
      });
    }
    const remainingMs = Math.max(...holders.map(({ until }) => until)) - now;
    if (kind === 'string') return { ...state, mode: 'exclusive', holders, remainingMs };
    return permits === undefined
      ? { ...state, mode: 'read', holders, remainingMs }
      : { ...state, mode: 'semaphore', permits: Number(permits), holders, remainingMs };
  }

  /** Looks through the keys of the server, or of one node of a Cluster after the other. */
  async list({ match, limit, cursor = '0:0' }: LockRange): Promise<LockPage> {
    const [, node, first] = /^(\d{1,6}):(\d{1,20})$/.exec(cursor) ?? [];
    if (node === undefined) throw new ConfigurationError('That is no cursor of a list of locks');
    const { pattern, nameOf } = lockFinder(this.parts.prefix);
    const matches = keyMatcher(match);
    const names = new Set<string>();
    let [at, from] = [Number(node), first];
    for (let looked = 0; looked < MOST_KEYS && names.size < limit; looked += KEYS_AT_A_TIME) {
      const found = await this.scan(at, from, pattern);
      if (found === undefined) return { locks: await this.held(names) };
      for (const key of found.keys) {
        const name = nameOf(key);
        if (name !== undefined && matches(name)) names.add(name);
      }
      [at, from] = found.next === '0' ? [at + 1, '0'] : [at, found.next];
    }
    const locks = await this.held(names);
    return this.nodes() > at ? { locks, cursor: `${at}:${from}` } : { locks };
  }

  async forceRelease(key: string): Promise<number> {
    const call = new LockCall(this.parts.header(), [this.parts.keysOf(key)], [forceOperation]);
    const [, reply] = (await this.parts.server.run(call)).split(' ');
    if (reply === '-') return 0;
    const lost = reply.split(',').filter((token) => token[0] !== '~');
    // It is done: who is not told finds out when it extends or releases.
    await this.tell(lost).catch(() => undefined);
    return lost.length;
  }

  /** Tells those who held by these tokens, where their processes listen. */
  private async tell(tokens: readonly string[]): Promise<void> {
    for (const token of tokens) {
      const owner = await this.ownerOf(token);
      if (owner) await this.parts.server.ask((client) => client.publish(owner.inbox, `lost ${token}`));
    }
  }

  private async held(names: ReadonlySet<string>): Promise<LockInspection[]> {
    const locks = await Promise.all([...names].map((name) => this.inspect(name)));
    return locks.filter(({ holders }) => holders.length > 0);
  }

  /** Undefined where there is no such node. */
  private async scan(
    node: number,
    from: string,
    pattern: string,
  ): Promise<{ keys: string[]; next: string } | undefined> {
    if (node >= this.nodes()) return undefined;
    const [next, keys] = await this.parts.server.ask((client) => {
      const one = client.isCluster ? mastersOf(client as Cluster)[node] : (client as Redis);
      return one.scan(from, 'MATCH', pattern, 'COUNT', KEYS_AT_A_TIME);
    });
    return { keys, next };
  }

  private nodes(): number {
    const client = this.parts.server.cluster;
    return client ? mastersOf(client).length : 1;
  }

  private async ownerOf(token: string): Promise<OwnerRecord | undefined> {
    const tag = token.slice(0, OWNER_TAG_DIGITS);
    if (!/^[0-9a-f]{16}$/.test(tag)) return undefined;
    const record = await this.parts.server
      .ask((client) => client.get(this.ownerKey(tag)), this.ownerKey(tag))
      .catch(() => undefined);
    return record ? readRecord(record) : undefined;
  }

  /** Beside the fencing counters, where every user of locks has rights; none of these looks like it. */
  private ownerKey(tag: string): string {
    return `${this.parts.prefix}:fence:owner:${tag}`;
  }
}

function readRecord(text: string): OwnerRecord | undefined {
  try {
    const { service, host, pid, inbox } = JSON.parse(text) as Partial<OwnerRecord>;
    if (typeof host !== 'string' || typeof pid !== 'number' || typeof inbox !== 'string') return undefined;
    return { ...(typeof service === 'string' && { service }), host, pid, inbox };
  } catch {
    return undefined;
  }
}

function withoutInbox({ inbox: _, ...owner }: OwnerRecord): LockOwner {
  return owner;
}

/** A fencing token is the time of its grant in microseconds, unless the counter was ahead of the clock. */
function grantedAt(fencingToken: bigint, now: number): number | undefined {
  const ms = Number(fencingToken / 1_000n);
  return ms > 0 && ms <= now ? ms : undefined;
}

function mastersOf(cluster: Cluster): Redis[] {
  const nameOf = ({ options: { host, port } }: Redis) => `${host}:${port}`;
  return cluster.nodes('master').sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}
