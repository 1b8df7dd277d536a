import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { replyCode } from '../redis-error.js';

/** What a script is given. */
export type ScriptArgument = string | Buffer | number;

/** A Lua script: constant text, and its hash, by which a server knows it once it has seen it. */
export class StreamScript {
  private readonly hash: string;

  constructor(private readonly text: string) {
    this.hash = createHash('sha1').update(text).digest('hex');
  }

  /** Its reply, strings as strings. A server that does not know the script, as after a restart, is sent the whole of it. */
  async run(
    client: Redis | Cluster,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    try {
      return await client.evalsha(this.hash, keys.length, ...keys, ...args);
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') throw error;
      return client.eval(this.text, keys.length, ...keys, ...args);
    }
  }

  /** Its reply, strings as bytes. */
  async runForBytes(
    client: Redis | Cluster,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    try {
      return await client.callBuffer('evalsha', this.hash, keys.length, ...keys, ...args);
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') throw error;
      return client.callBuffer('eval', this.text, keys.length, ...keys, ...args);
    }
  }
}
