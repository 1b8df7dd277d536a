import { createHash } from 'node:crypto';
import { Command } from 'ioredis';
import type { LockKeys } from './lock-keys.js';
import { lockScript } from './lock-script.js';
import { bulk } from './wire.js';

const sha = createHash('sha1').update(lockScript).digest('hex');
const evalsha = bulk('EVALSHA') + bulk(sha);

/** One call of the lock script: operations, and the three keys of each key that they name. */
export class LockCall {
  constructor(
    private readonly header: LockCallHeader,
    private readonly keys: readonly LockKeys[],
    private readonly operations: readonly string[],
  ) {}

  /** By which a Cluster finds the node. */
  get firstKey(): string {
    return this.keys[0].lock;
  }

  /** By the script's hash, for one connection. */
  command(): Command {
    const { keys, operations } = this;
    const keyCount = String(keys.length * 3);
    let wire = `*${3 + keys.length * 3 + this.header.args.length + operations.length}\r\n${evalsha}${bulk(keyCount)}`;
    for (const { wire: three } of keys) wire += three;
    wire += this.header.wire;
    for (const operation of operations) wire += bulk(operation);
    return new WireCommand(wire);
  }

  /** What `evalsha` of a Cluster client takes, which looks for the node by the first key. */
  byHash(): [sha: string, keyCount: number, ...rest: string[]] {
    return [sha, ...this.args()];
  }

  /** What `eval` takes. */
  whole(): [script: string, keyCount: number, ...rest: string[]] {
    return [lockScript, ...this.args()];
  }

  private args(): [keyCount: number, ...rest: string[]] {
    const names = this.keys.flatMap(({ lock, fence, queue }) => [lock, fence, queue]);
    return [names.length, ...names, ...this.header.args, ...this.operations];
  }
}

/** The arguments that all calls of a store have in common. */
export class LockCallHeader {
  readonly wire: string;

  constructor(readonly args: readonly string[]) {
    this.wire = args.map(bulk).join('');
  }
}

/** A command that is written as it was put together: most of what ioredis costs is its care for each argument. */
class WireCommand extends Command {
  constructor(private readonly wire: string) {
    super('evalsha', [], { replyEncoding: 'utf8' });
  }

  override toWritable(): string {
    return this.wire;
  }
}
