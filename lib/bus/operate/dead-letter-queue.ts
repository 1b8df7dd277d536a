import type { Codec } from '../../codec/codec.js';
import type { DeadLetter, DeadLetterStore } from '../../driver/dead-letters.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { type Clock, sleep } from '../../timing/clock.js';
import type { MessageDecoder } from '../wire/message-decoder.js';
import type { AdminOptions } from './bus-admin.js';
import { LetterEditor } from './dead-letter-edit.js';
import {
  byKind,
  type DeadLetteredMessage,
  type EditOptions,
  editKinds,
  type PeekOptions,
  peekKinds,
  type ReplayOptions,
  type ReplayReport,
  replayKinds,
} from './dead-letter-options.js';
import type { DeedLog } from './deed-log.js';

const PAGE = 100;

/** What a {@link DeadLetterQueue} works with. */
export interface DeadLetterQueueDeps {
  readonly store: () => Promise<DeadLetterStore>;
  readonly decoder: MessageDecoder;
  readonly codec: Codec;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  readonly deeds: DeedLog;
  readonly service: string;
}

/**
 * The dead letters of one topic and group. What brings back or deletes some leaves a line in the log and an entry in
 * `bus.admin.audited`. Every call rejects with ConfigurationError if the topic has no such group, or
 * the driver keeps no dead letters.
 */
export class DeadLetterQueue<Payload = unknown> {
  private readonly editor: LetterEditor;

  /** @internal */
  constructor(
    readonly topic: string,
    readonly group: string,
    private readonly deps: DeadLetterQueueDeps,
  ) {
    this.editor = new LetterEditor(deps.codec, deps.maxMessageBytes);
  }

  /** How many there are. */
  async count(): Promise<number> {
    return (await this.store()).count();
  }

  /** The oldest first; looks without changing anything. */
  async peek(options: PeekOptions = {}): Promise<DeadLetteredMessage<Payload>[]> {
    assertOptions('peek', options, peekKinds);
    const { limit = PAGE, after, reason } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
      throw new ConfigurationError('peek: limit must be a whole number from 1 to 1000');
    }
    const store = await this.store();
    const letters =
      reason === undefined
        ? await store.list({ after, limit })
        : await given(store, { reason, after, limit });
    return Promise.all(letters.map((letter) => this.read(letter)));
  }

  /** The one at that position; undefined where there is none (any more). Looks without changing anything. */
  async find(position: string): Promise<DeadLetteredMessage<Payload> | undefined> {
    const [letter] = await (await this.store()).list({ at: position, limit: 1 });
    return letter && this.read(letter);
  }

  /** Hands one back to its group, and to no other, as a first attempt. False if it is not there (any more). */
  async replay(position: string, options: AdminOptions = {}): Promise<boolean> {
    assertOptions('replay', options, byKind);
    const there = await (await this.store()).replay(position);
    if (there) await this.note('replay dead letter', 1, options);
    return there;
  }

  /**
   * Hands one back with another payload, other headers or both: the same id, and the headers `x-edited-at` (ISO 8601) and
   * `x-edited-by` say so. The letter stays where it is, and the call rejects, with ConfigurationError where it holds several
   * messages or cannot be read, with CodecError or MessageTooLargeError where the payload cannot be written. False if it is not
   * there (any more).
   */
  async replayEdited(position: string, changes: EditOptions): Promise<boolean> {
    assertOptions('replayEdited', changes, editKinds);
    const { payload, headers, by = this.deps.service } = changes;
    if (payload === undefined && headers === undefined)
      throw new ConfigurationError('replayEdited: give a payload, headers or both');
    const store = await this.store();
    const [letter] = await store.list({ at: position, limit: 1 });
    if (letter === undefined) return false;
    const editor = { by, at: this.deps.clock.now() };
    const frame = await this.editor.edited(letter, { payload, headers }, editor);
    const there = await store.replay(position, frame);
    if (there) await this.note('replay edited dead letter', 1, { by });
    return there;
  }

  /**
   * Hands back all that are there now, oldest first, in one pass. Rejects with ConfigurationError for a filter that throws or
   * does not decide: the letter stays where it is, and so do those behind it.
   */
  async replayAll(options: ReplayOptions<Payload> = {}): Promise<ReplayReport> {
    assertOptions('replayAll', options, replayKinds);
    const { maxReplays = 3, rate = 100, filter = () => true, signal } = options;
    if (typeof rate !== 'number' || !(rate > 0))
      throw new ConfigurationError('replayAll: rate must be above 0 messages per second');
    if (!Number.isInteger(maxReplays) || maxReplays < 1) {
      throw new ConfigurationError('replayAll: maxReplays must be a whole number above 0');
    }
    const store = await this.store();
    let replayed = 0;
    let capped = 0;
    try {
      for await (const letter of this.oldest(await store.count())) {
        if (signal?.aborted) break;
        if (!decided(filter, letter)) continue;
        if (letter.replays >= maxReplays) capped++;
        else if (await store.replay(letter.position)) {
          replayed++;
          await sleep(1000 / rate, this.deps.clock, signal);
        }
      }
    } finally {
      if (replayed > 0) await this.note('replay dead letters', replayed, options);
    }
    return { replayed, capped };
  }

  /** Deletes one for good. False if it is not there (any more). */
  async remove(position: string, options: AdminOptions = {}): Promise<boolean> {
    assertOptions('remove', options, byKind);
    const there = await (await this.store()).remove(position);
    if (there) await this.note('remove dead letter', 1, options);
    return there;
  }

  /** Deletes all that there are now, and returns how many that were. */
  async purge(options: AdminOptions = {}): Promise<number> {
    assertOptions('purge', options, byKind);
    const removed = await (await this.store()).purge();
    if (removed > 0) await this.note('purge dead letters', removed, options);
    return removed;
  }

  private store(): Promise<DeadLetterStore> {
    return this.deps.store();
  }

  private note(action: string, messages: number, { by = this.deps.service }: AdminOptions): Promise<void> {
    const { topic, group } = this;
    return this.deps.deeds.record({ by, action, topic, group, messages });
  }

  /** So many, page by page: what is dead-lettered again meanwhile stands behind them, and is left for another pass. */
  private async *oldest(count: number): AsyncGenerator<DeadLetteredMessage<Payload>> {
    let left = count;
    for (let after: string | undefined; left > 0; left -= PAGE) {
      const page = await this.peek({ after, limit: Math.min(PAGE, left) });
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)?.position;
    }
  }

  private async read(letter: DeadLetter): Promise<DeadLetteredMessage<Payload>> {
    try {
      const message = await this.deps.decoder.decode(this.topic, letter.frame);
      const headers = Object.assign(Object.create(null), message.headers, this.headersOf(letter, message.id));
      return { ...letter, message: { ...message, payload: message.payload as Payload, headers } };
    } catch {
      return { ...letter, message: undefined };
    }
  }

  private headersOf({ reason, error, attempts, failedAt }: DeadLetter, id: string): Record<string, string> {
    const headers: Record<string, string> = {
      'x-dead-letter-reason': reason,
      'x-original-topic': this.topic,
      'x-original-group': this.group,
      'x-original-id': id,
      'x-failed-at': new Date(failedAt).toISOString(),
      'x-attempts': String(attempts),
    };
    if (!error) return headers;
    return { ...headers, 'x-error-name': error.name, 'x-error-message': error.message };
  }
}

/** The oldest that were given up for that reason, behind `after`. */
async function given(
  store: DeadLetterStore,
  { reason, limit, after }: { reason: string; limit: number; after: string | undefined },
): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for (let from = after; found.length < limit; ) {
    const page = await store.list({ after: from, limit: PAGE });
    found.push(...page.filter((letter) => letter.reason === reason));
    if (page.length < PAGE) break;
    from = page.at(-1)?.position;
  }
  return found.slice(0, limit);
}

/** A promise would count as a yes, and hand back what was not meant. */
function decided<Payload>(
  filter: NonNullable<ReplayOptions<Payload>['filter']>,
  letter: DeadLetteredMessage<Payload>,
): boolean {
  let decision: unknown;
  try {
    decision = filter(letter);
  } catch (cause) {
    throw new ConfigurationError(`replayAll: the filter threw at the letter ${letter.position}`, { cause });
  }
  if (typeof decision === 'boolean') return decision;
  throw new ConfigurationError(
    `replayAll: the filter must return true or false at once, not a value of type ${typeof decision}`,
  );
}
