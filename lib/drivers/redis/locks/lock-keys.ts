import { ConfigurationError } from '../../../errors/bus.errors.js';
import { bulk } from './wire.js';

/** The three keys that a lock has in Redis. They share a hash slot. */
export interface LockKeys {
  /** Who holds it. */
  readonly lock: string;
  /** The last fencing token. */
  readonly fence: string;
  /** Who waits for it. */
  readonly queue: string;
  /** What decides their slot. */
  readonly slot: string;
  /** They are in several slots after all. */
  readonly scattered?: boolean;
  /** The three as arguments on the wire. */
  readonly wire: string;
}

/**
 * The keys of the lock named `key`: `disco:lock:{key}` and so on. A key with a hash tag of its own keeps its slot, as
 * `disco:lock:{order:1}:{order:1}:stock`, so that several of one tag can be locked together. No two names share a key.
 * Without a prefix the lock is the bare `key`, as in the Go library.
 */
export function lockKeys(prefix: string, key: string): LockKeys {
  const tag = hashTag(key);
  if (prefix === '') return bareKeys(key, tag);
  const name = tag === undefined ? `{${key.replace(/[%{}]/g, encodeURIComponent)}}` : `{${tag}}:${key}`;
  const [lock, fence, queue] = ['lock', 'fence', 'wait'].map((kind) => `${prefix}:${kind}:${name}`);
  return { lock, fence, queue, slot: tag ?? key, wire: onWire(lock, fence, queue) };
}

/**
 * The pattern of the keys by which the locks of `prefix` are found, and the name of the lock that such a key belongs to;
 * undefined for others. Bare locks are found by their fencing counters: their own keys look like anybody's.
 */
export function lockFinder(prefix: string): {
  readonly pattern: string;
  nameOf(key: string): string | undefined;
} {
  const head = prefix === '' ? ':fence:' : `${prefix}:lock:`;
  const nameOf = (key: string) => {
    const rest = key.slice(head.length);
    const tagged = /^\{[^}]+\}:(.*)$/s.exec(rest);
    const plain = /^(?:\{(.*)\}|\}(.*))$/s.exec(rest);
    const name = tagged?.[1] ?? plain?.[1] ?? plain?.[2];
    const found = [name, name && decoded(name)].find((each) => each !== undefined && own(each) === key);
    return found === '' ? undefined : found;
  };
  const own = (name: string) => {
    const { lock, fence } = lockKeys(prefix, name);
    return prefix === '' ? fence : lock;
  };
  return { pattern: `${head.replace(/[\\*?[\]]/g, '\\$&')}*`, nameOf };
}

function decoded(name: string): string {
  return name.replace(/%(25|7B|7D)/g, decodeURIComponent);
}

/** A bare key is its own slot. The others follow it there by a hash tag, in which no brace can be closed. */
function bareKeys(key: string, tag: string | undefined): LockKeys {
  const scattered = tag === undefined && key.includes('}');
  const inSlot = tag === undefined ? `{${key}}` : `{${tag}}:${key}`;
  const name = scattered ? `}${key.replace(/[%{}]/g, encodeURIComponent)}` : inSlot;
  const [fence, queue] = [`:fence:${name}`, `:wait:${name}`];
  return { lock: key, fence, queue, slot: tag ?? key, scattered, wire: onWire(key, fence, queue) };
}

function onWire(...keys: string[]): string {
  return keys.map(bulk).join('');
}

/** The part of a key that decides its slot in a Redis Cluster: between its first `{` and the next `}`, if not empty. */
export function hashTag(key: string): string | undefined {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : undefined;
}

/** So many names are remembered at a time: a lock's name comes at least twice, to acquire and to release. */
const mostKnown = 1_024;

/** Makes {@link lockKeys}, and remembers those asked for lately. */
export class LockKeyring {
  private readonly known = new Map<string, readonly [LockKeys]>();

  constructor(private readonly prefix: string) {}

  /** The keys of the lock named `key`. */
  of(key: string): LockKeys {
    return this.one(key)[0];
  }

  /** Those of the locks of one claim. Throws ConfigurationError where a Cluster, `clustered`, cannot keep them together. */
  all(names: readonly string[], clustered: boolean): readonly LockKeys[] {
    const all = names.length === 1 ? this.one(names[0]) : names.map((name) => this.of(name));
    if (clustered && all.some(({ scattered }) => scattered)) {
      throw new ConfigurationError(
        'On a Redis Cluster the key of a lock without prefix may close a brace only as a hash tag',
      );
    }
    if (clustered && all.some(({ slot }) => slot !== all[0].slot)) {
      throw new ConfigurationError(
        "On a Redis Cluster the keys of one lock must share a hash tag, as '{order:1}:a' and '{order:1}:b'",
      );
    }
    return all;
  }

  /** The same, as the only ones of a claim. */
  one(key: string): readonly [LockKeys] {
    let keys = this.known.get(key);
    if (keys === undefined) {
      keys = [lockKeys(this.prefix, key)];
      if (this.known.size === mostKnown) this.known.clear();
      this.known.set(key, keys);
    }
    return keys;
  }
}
