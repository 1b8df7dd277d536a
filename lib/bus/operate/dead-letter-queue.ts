import type { DeadLetter, DeadLetterStore } from '../../driver/dead-letters.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aFunction, aNumber, aSignal, aString, type OptionKinds } from '../../errors/option-kinds.js';
import type { Message } from '../../message/message.js';
import { type Clock, sleep } from '../../timing/clock.js';
import type { MessageDecoder } from '../wire/message-decoder.js';

/** A message that its group has given up. */
export interface DeadLetteredMessage extends Omit<DeadLetter, 'frame'> {
  /**
   * The message, with headers added that tell what became of it: `x-dead-letter-reason`, `x-original-topic`,
   * `x-original-group`, `x-original-id`, `x-failed-at` (ISO 8601), `x-attempts`, `x-error-name`, `x-error-message`.
   * Undefined when its bytes cannot be read.
   */
  readonly message?: Message;
  /** The bytes as they were published. */
  readonly frame: Uint8Array;
}

/** Which dead letters to look at. */
export interface PeekOptions {
  /** 1 to 1000. @default 100 */
  limit?: number;
  /** Only those behind this position. */
  after?: string;
}

/** How to replay. */
export interface ReplayOptions {
  /** Only those that it says `true` to, of `true` and `false`: anything else ends the replay, as an error does. @default all */
  filter?: (letter: DeadLetteredMessage) => boolean;
  /** A message that has been replayed this often stays where it is, so that poison does not circle. @default 3 */
  maxReplays?: number;
  /** Messages per second. @default 100 */
  rate?: number;
  /** Ends the replay after the message under way. */
  signal?: AbortSignal;
}

/** What a replay did. */
export interface ReplayReport {
  readonly replayed: number;
  /** Left in place because they had been replayed `maxReplays` times. */
  readonly capped: number;
}

const peekKinds: OptionKinds<PeekOptions> = { limit: aNumber, after: aString };

const replayKinds: OptionKinds<ReplayOptions> = {
  filter: aFunction,
  maxReplays: aNumber,
  rate: aNumber,
  signal: aSignal,
};

const PAGE = 100;

/**
 * The dead letters of one topic and group. Every call rejects with ConfigurationError if the topic has no such group, or
 * the driver keeps no dead letters.
 */
export class DeadLetterQueue {
  /** @internal */
  constructor(
    readonly topic: string,
    readonly group: string,
    private readonly store: () => Promise<DeadLetterStore>,
    private readonly on: { readonly decoder: MessageDecoder; readonly clock: Clock },
  ) {}

  /** How many there are. */
  async count(): Promise<number> {
    return (await this.store()).count();
  }

  /** The oldest first; looks without changing anything. */
  async peek(options: PeekOptions = {}): Promise<DeadLetteredMessage[]> {
    assertOptions('peek', options, peekKinds);
    const { limit = PAGE, after } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
      throw new ConfigurationError('peek: limit must be a whole number from 1 to 1000');
    }
    const letters = await (await this.store()).list({ after, limit });
    return Promise.all(letters.map((letter) => this.read(letter)));
  }

  /** Hands one back to its group, and to no other, as a first attempt. False if it is not there (any more). */
  async replay(position: string): Promise<boolean> {
    return (await this.store()).replay(position);
  }

  /**
   * Hands back all that are there now, oldest first, in one pass. Rejects with ConfigurationError for a filter that throws or
   * does not decide: the letter stays where it is, and so do those behind it.
   */
  async replayAll(options: ReplayOptions = {}): Promise<ReplayReport> {
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
    for await (const letter of this.oldest(await store.count())) {
      if (signal?.aborted) break;
      if (!decided(filter, letter)) continue;
      if (letter.replays >= maxReplays) capped++;
      else if (await store.replay(letter.position)) {
        replayed++;
        await sleep(1000 / rate, this.on.clock, signal);
      }
    }
    return { replayed, capped };
  }

  /** Deletes one for good. False if it is not there (any more). */
  async remove(position: string): Promise<boolean> {
    return (await this.store()).remove(position);
  }

  /** Deletes all that there are now, and returns how many that were. */
  async purge(): Promise<number> {
    return (await this.store()).purge();
  }

  /** So many, page by page: what is dead-lettered again meanwhile stands behind them, and is left for another pass. */
  private async *oldest(count: number): AsyncGenerator<DeadLetteredMessage> {
    let left = count;
    for (let after: string | undefined; left > 0; left -= PAGE) {
      const page = await this.peek({ after, limit: Math.min(PAGE, left) });
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)?.position;
    }
  }

  private async read(letter: DeadLetter): Promise<DeadLetteredMessage> {
    try {
      const message = await this.on.decoder.decode(this.topic, letter.frame);
      const headers = Object.assign(Object.create(null), message.headers, this.headersOf(letter, message.id));
      return { ...letter, message: { ...message, headers } };
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

/** A promise would count as a yes, and hand back what was not meant. */
function decided(filter: NonNullable<ReplayOptions['filter']>, letter: DeadLetteredMessage): boolean {
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
