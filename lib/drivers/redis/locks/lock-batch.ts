import type { LockKeys } from './lock-keys.js';

/** One operation on its way: what the script needs of it, and who waits for the reply. */
export interface LockOperationCall {
  /** Those of one slot may share a script call with others of it. */
  readonly keys: readonly LockKeys[];
  /** As the script wants it. */
  readonly operation: string;
  /** The reply, and the server's clock then: milliseconds since the epoch, 0 where the reply is a plain grant or release. */
  answered(reply: string, serverMs: number): void;
  failed(error: unknown): void;
}

/** Runs the script with these keys and operations: `server time`, `reply`, `reply` … with spaces between. */
export type LockScriptRun = (keys: readonly LockKeys[], operations: readonly string[]) => Promise<string>;

/**
 * The server works on one part while the next one is being put together: parts of this size were the fastest, and each
 * takes far less than a millisecond.
 */
const maxOperations = 32;

/**
 * Collects the operations of one turn of the event loop and sends them together, in order. A lone one waits for nothing
 * but the end of the microtasks.
 */
export class LockBatch {
  private calls: LockOperationCall[] = [];

  constructor(
    private readonly run: LockScriptRun,
    /** On a cluster each slot needs a call of its own. */
    private readonly bySlot: boolean,
  ) {}

  /** Settles by the call's own functions. */
  add(call: LockOperationCall): void {
    // After the microtasks that are due, and so after all operations that follow from what was just settled.
    if (this.calls.push(call) === 1) process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    const { calls } = this;
    this.calls = [];
    for (const group of this.bySlot ? grouped(calls) : [calls]) {
      if (group.length <= maxOperations) this.send(group);
      else {
        for (let at = 0; at < group.length; at += maxOperations) {
          this.send(group.slice(at, at + maxOperations));
        }
      }
    }
  };

  private send(calls: readonly LockOperationCall[]): void {
    const keys: LockKeys[] = [];
    const operations: string[] = [];
    for (const call of calls) {
      for (const each of call.keys) keys.push(each);
      operations.push(call.operation);
    }
    this.run(keys, operations).then(
      (reply) => answer(calls, reply.split(' ')),
      (error: unknown) => {
        for (const call of calls) call.failed(error);
      },
    );
  }
}

function answer(calls: readonly LockOperationCall[], replies: readonly string[]): void {
  const serverMs = Number(replies[0]);
  for (let index = 0; index < calls.length; index++) calls[index].answered(replies[index + 1], serverMs);
}

function grouped(calls: readonly LockOperationCall[]): LockOperationCall[][] {
  const groups = new Map<string, LockOperationCall[]>();
  for (const call of calls) {
    const { slot } = call.keys[0];
    const group = groups.get(slot);
    if (group) group.push(call);
    else groups.set(slot, [call]);
  }
  return [...groups.values()];
}
