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

  /**
   * Its reply, and how many replicas have what it wrote, after `timeoutMs` at the latest. In one pipeline, so that both go
   * to one node, also in a Cluster.
   */
  async runReplicated(
    client: Redis | Cluster,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    replicas: number,
    timeoutMs: number,
  ): Promise<[unknown, number]> {
    const known = client.pipeline().evalsha(this.hash, keys.length, ...keys, ...args);
    try {
      return outcome(await known.wait(replicas, timeoutMs).exec());
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') throw error;
      const whole = client.pipeline().eval(this.text, keys.length, ...keys, ...args);
      return outcome(await whole.wait(replicas, timeoutMs).exec());
    }
  }
}

function outcome(results: [error: Error | null, result: unknown][] | null): [unknown, number] {
  const [[scriptError, reply], [waitError, replicas]] = results ?? [
    [new Error('Connection is closed.'), null],
    [null, 0],
  ];
  const error = scriptError ?? waitError;
  if (error) throw error;
  return [reply, Number(replicas)];
}

/** The same bytes as ioredis takes them. */
export function asBuffer(frame: Uint8Array): Buffer {
  return Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
}
