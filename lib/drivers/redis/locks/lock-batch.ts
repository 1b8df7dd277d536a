import type { LockKeys } from './lock-keys.js';

/** One operation on its way: what the script needs of it, and who waits for the reply. */
export interface LockOperationCall {
  /** Operations of one slot may share a script call. */
  readonly slot: string;
  readonly keys: readonly LockKeys[];
  /** As the script wants it. */
  readonly operation: string;
  resolve(reply: LockReply): void;
  reject(error: unknown): void;
}

/** The script's reply to one operation, and the server's clock then. */
export interface LockReply {
  readonly value: string | number;
  /** Milliseconds since the epoch by the server. */
  readonly serverMs: number;
}

/** Runs the script with these keys and arguments. */
export type LockScriptRun = (keys: readonly string[], args: readonly string[]) => Promise<unknown>;

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

  add(slot: string, keys: readonly LockKeys[], operation: string): Promise<LockReply> {
    return new Promise((resolve, reject) => {
      this.calls.push({ slot, keys, operation, resolve, reject });
      // After all microtasks of the turn, and so after all operations that follow from what was just settled.
      if (this.calls.length === 1) queueMicrotask(() => process.nextTick(this.flush));
    });
  }

  private readonly flush = (): void => {
    const { calls } = this;
    this.calls = [];
    for (const group of this.bySlot ? grouped(calls) : [calls]) {
      for (let at = 0; at < group.length; at += maxOperations) {
        void this.send(group.slice(at, at + maxOperations));
      }
    }
  };

  private async send(calls: readonly LockOperationCall[]): Promise<void> {
    const keys: string[] = [];
    const args: string[] = [];
    for (const call of calls) {
      for (const { lock, fence, queue } of call.keys) keys.push(lock, fence, queue);
      args.push(call.operation);
    }
    try {
      const [time, ...replies] = (await this.run(keys, args)) as (string | number)[];
      const serverMs = Number(time);
      for (const [index, call] of calls.entries()) call.resolve({ value: replies[index], serverMs });
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }
}

function grouped(calls: readonly LockOperationCall[]): LockOperationCall[][] {
  const groups = new Map<string, LockOperationCall[]>();
  for (const call of calls) {
    const group = groups.get(call.slot);
    if (group) group.push(call);
    else groups.set(call.slot, [call]);
  }
  return [...groups.values()];
}
