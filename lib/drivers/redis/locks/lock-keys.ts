/** The three keys that a lock has in Redis. They share a hash slot. */
export interface LockKeys {
  /** Who holds it. */
  readonly lock: string;
  /** The last fencing token. */
  readonly fence: string;
  /** Who waits for it. */
  readonly queue: string;
}

/**
 * The keys of the lock named `key`: `disco:lock:{key}` and so on. A key with a hash tag of its own keeps its slot, as
 * `disco:lock:{order:1}:{order:1}:stock`, so that several of one tag can be locked together. No two names share a key.
 */
export function lockKeys(prefix: string, key: string): LockKeys {
  const tag = hashTag(key);
  const name = tag === undefined ? `{${key.replace(/[%{}]/g, encodeURIComponent)}}` : `{${tag}}:${key}`;
  return {
    lock: `${prefix}:lock:${name}`,
    fence: `${prefix}:fence:${name}`,
    queue: `${prefix}:wait:${name}`,
  };
}

/** The part of a key that decides its slot in a Redis Cluster: between its first `{` and the next `}`, if not empty. */
export function hashTag(key: string): string | undefined {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : undefined;
}

/** What decides the slot of the lock named `key`: names with the same one can be locked together on a cluster. */
export function slotName(key: string): string {
  return hashTag(key) ?? key;
}
