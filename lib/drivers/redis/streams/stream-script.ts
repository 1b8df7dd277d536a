import { createHash } from 'node:crypto';
import { replyCode } from '../redis-error.js';
import type { StreamClient } from './stream-connection.js';

/** A key or an argument of a script. */
export type ScriptArgument = string | Buffer | number;

/** A Lua script, sent by its hash; a server that does not know the hash, as after a restart, is sent the whole text. */
export class StreamScript {
  private readonly hash: string;

  constructor(private readonly text: string) {
    this.hash = createHash('sha1').update(text).digest('hex');
  }

  /** Runs it; strings in the reply are strings. */
  async run(
    client: StreamClient,
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

  /** Runs it; strings in the reply are bytes. */
  async runForBytes(
    client: StreamClient,
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
   * Runs it, then waits until `replicas` replicas have what it wrote, at most `timeoutMs`. Resolves with the reply and how
   * many replicas have it. In one pipeline, so that both commands go to the same node of a Cluster.
   */
  async runReplicated(
    client: StreamClient,
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

/** The same bytes as a Buffer, which ioredis needs; not copied. */
export function asBuffer(frame: Uint8Array): Buffer {
  return Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
}
