import { ClosedError } from '../../../../errors/bus.errors.js';
import { isDiscoBusError } from '../../../../errors/disco-bus-error.js';
import { DriverError } from '../../../../errors/driver.errors.js';
import { type Backoff, backoffDelay } from '../../../../timing/backoff.js';
import type { ConsumerUpkeep } from '../group/consumer-upkeep.js';
import type { GivenUp, GroupMember } from '../group/group-member.js';
import { settleScript } from '../scripts/settle-scripts.js';
import { persist, type StreamClient } from '../stream-connection.js';
import { type ScriptArgument, StreamScript } from '../stream-script.js';
import type { StreamDelivery } from './stream-delivery.js';

const script = new StreamScript(settleScript);

/** A script should stay below a millisecond. */
const MAX_OPERATIONS = 256;
/** An outcome that Redis refuses (out of memory, no right) is tried again: handing out its entry again would end the same. */
const refusals: Backoff = { type: 'exponential', delayMs: 100, maxMs: 5_000, jitter: true };

type Kind = 'a' | 'A' | 'r' | 'd';

interface Operation {
  readonly delivery: StreamDelivery;
  readonly kind: Kind;
  readonly args: readonly ScriptArgument[];
  /** The whole entry is settled by it, not a part of its bundle. */
  readonly whole: boolean;
  readonly delayMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Records outcomes: those of one turn in one script call, those that come meanwhile in the next. Repeated until answered. */
export class Settlements {
  private operations: Operation[] = [];
  private readonly parts = new Set<StreamDelivery>();
  private scheduled = false;
  private sending = false;
  private failures = 0;
  private idleWaiters: (() => void)[] = [];
  private stopped = false;
  private endPause: () => void = () => undefined;

  constructor(
    private readonly member: GroupMember,
    private readonly upkeep: ConsumerUpkeep,
    /** The entry is settled, or not this consumer's any more. */
    private readonly ended: (delivery: StreamDelivery) => void,
  ) {}

  /** Resolves when the outcome is recorded. */
  add(
    delivery: StreamDelivery,
    kind: Kind,
    args: readonly ScriptArgument[],
    whole: boolean,
    delayMs = 0,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.operations.push({ delivery, kind, args, whole, delayMs, resolve, reject });
      this.schedule();
    });
  }

  /** The delivery's settled parts are written with the present turn's outcomes, unless it is settled whole by then. */
  noteParts(delivery: StreamDelivery): void {
    this.parts.add(delivery);
    this.schedule();
  }

  /** Resolves when everything is recorded or given up. */
  idle(): Promise<void> {
    if (!this.scheduled && !this.sending) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Tries nothing again that Redis refuses. */
  stop(): void {
    this.stopped = true;
    this.endPause();
  }

  private schedule(): void {
    if (this.scheduled || this.sending) return;
    this.scheduled = true;
    // After the microtasks of the turn: the last part of a bundle then spares writing the others.
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    const batch = this.operations.splice(0, MAX_OPERATIONS);
    // Redis lets a script write on when memory is short once it has written: so those that free memory come first.
    batch.sort((one, other) => order(one) - order(other));
    const parts = this.operations.length > 0 ? [] : this.openParts();
    if (batch.length > 0 || parts.length > 0) void this.send(batch, parts);
    else for (const resolve of this.idleWaiters.splice(0)) resolve();
  };

  private openParts(): StreamDelivery[] {
    const open = [...this.parts].filter((delivery) => delivery.phase !== 'over');
    this.parts.clear();
    return open;
  }

  private async send(batch: readonly Operation[], parts: readonly StreamDelivery[]): Promise<void> {
    this.sending = true;
    let refused = await this.record(batch, parts);
    // One that Redis refuses must not hold up the others.
    if (refused.length > 1) {
      const each: Operation[] = [];
      for (const operation of refused) each.push(...(await this.record([operation], [])));
      refused = each;
    }
    if (refused.length > 0) await this.pause();
    if (this.stopped) for (const { reject } of refused) reject(new ClosedError('The Redis driver is closed'));
    else this.operations.unshift(...refused);
    this.sending = false;
    this.flush();
  }

  /** Returns what Redis refused. */
  private async record(
    batch: readonly Operation[],
    parts: readonly StreamDelivery[],
  ): Promise<readonly Operation[]> {
    let tries = 0;
    try {
      const { connection, group, keys, name, options } = this.member;
      const { stream, retry, delayed, bodies, dead, parts: settled, state } = keys;
      const names = [stream, retry, delayed, bodies, dead, settled, state];
      const args = [options.maxDeadLetters, ...argsOf(batch, parts)];
      const recorded = parts.map((delivery) => delivery.sendParts());
      const reply = await persist(connection, (client) => {
        tries++;
        return script.run(client, names, [group, name, offersAckAndDelete(client) ? 1 : 0, ...args]);
      });
      const [failed, outlived] = reply as [number[], number];
      this.failures = 0;
      for (const done of recorded) done();
      // A repeated call finds its own work done: then "not held" is what success looks like.
      const lost = new Set(tries > 1 ? [] : failed);
      for (const [index, operation] of batch.entries()) this.settled(operation, lost.has(index));
      this.member.lettersDropped(outlived);
      this.member.gaveUp(givenUpIn(batch.filter((_, index) => !lost.has(index))));
      return [];
    } catch (error) {
      if (!isDiscoBusError(error, 'DISCO_CLOSED')) return batch;
      for (const { reject } of batch) reject(error);
      return [];
    }
  }

  private settled({ delivery, whole, delayMs, resolve, reject }: Operation, lost: boolean): void {
    if (whole || lost) this.ended(delivery);
    if (delayMs > 0) this.upkeep.within(delayMs);
    if (lost)
      reject(new DriverError('The entry is not held by this consumer any more', { retryable: false }));
    else resolve();
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, backoffDelay(refusals, ++this.failures));
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.stopped) this.endPause();
    });
  }
}

/** What no handler decided. */
function givenUpIn(recorded: readonly Operation[]): GivenUp {
  let [expired, unreadable] = [0, 0];
  for (const { delivery, whole } of recorded) {
    if (!whole || delivery.givenUp === undefined) continue;
    if (delivery.givenUp === 'expired') expired += delivery.messages;
    else unreadable++;
  }
  return { expired, unreadable };
}

function argsOf(batch: readonly Operation[], parts: readonly StreamDelivery[]): ScriptArgument[] {
  const args: ScriptArgument[] = [];
  for (const { kind, delivery, args: further } of batch) {
    args.push(kind, delivery.entry.letter, delivery.entry.id, ...further);
  }
  for (const delivery of parts) args.push('p', delivery.entry.letter, delivery.entry.id, delivery.partList);
  return args;
}

function order({ kind }: Operation): number {
  return kind === 'a' || kind === 'A' ? 0 : 1;
}

const answers = new WeakMap<StreamClient, boolean>();

/**
 * Whether the server can acknowledge and delete in one command (XACKDEL, Redis 8.2). It is asked when this is first called
 * for a client; until it has answered, no. A node of a Cluster may still lack it: scripts have to do without then.
 */
export function offersAckAndDelete(client: StreamClient): boolean {
  const known = answers.get(client);
  if (known !== undefined) return known;
  answers.set(client, false);
  client.call('COMMAND', 'INFO', 'XACKDEL').then(
    (reply) => answers.set(client, Array.isArray(reply) && Boolean(reply[0])),
    // A lost connection has another client next; a user who may not ask does without.
    () => undefined,
  );
  return false;
}
