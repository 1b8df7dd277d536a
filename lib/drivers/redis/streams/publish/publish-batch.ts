import type { DriverReceipt } from '../../../../driver/driver.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { PublishOutcomeUnknownError } from '../../../../errors/publish.errors.js';
import { NotReplicatedError, StreamFullError } from '../../../../errors/stream.errors.js';
import type { PendingPublish } from '../../pubsub/pending-publish.js';
import { toDriverError } from '../../redis-error.js';
import type { StreamContext } from '../stream-context.js';
import type { StreamKeys } from '../stream-keys.js';
import { asBuffer, type ScriptArgument } from '../stream-script.js';

/** How long a publisher's log outlives its last batch, beyond the longest that a publish of the batch may wait. */
const LOG_SPARE_MS = 60_000;

const streamFull = '!';
const delayed = '@';
const duplicate = '=';
const refused = '-';

/** What the script answers. */
export interface PublishReply {
  /** Streams that entries were dropped from, each with how many. */
  readonly dropped: readonly (string | number)[];
  /** Streams that were not there before. */
  readonly made: readonly string[];
  /** Streams that no group reads. */
  readonly unread: readonly string[];
  /** What became of each message. */
  readonly results: readonly string[];
  /** How many replicas have it. */
  readonly replicas: number;
  /** Whether the server had no memory for some of it. */
  readonly outOfMemory: boolean;
  /** Why a topic could not be listed: what is stored there is then not accepted. */
  readonly unlisted?: DiscoBusError;
}

/** Reads the reply of the script. */
export function readPublishReply(reply: unknown, replicas: number): PublishReply {
  const [dropped, made, unread, ...results] = reply as [(string | number)[], string[], string[], ...string[]];
  const outOfMemory = results.some((result) => result.startsWith('-OOM'));
  return { dropped, made, unread, results, replicas, outOfMemory };
}

/** Messages that travel in one script call, and what the script needs of them. Sent again unchanged when the reply was lost. */
export class PublishBatch {
  readonly keys: string[];
  readonly args: ScriptArgument[];
  private readonly keyNumbers = new Map<string, number>();

  constructor(
    readonly messages: readonly PendingPublish[],
    log: string,
    number: number,
    private readonly context: StreamContext,
  ) {
    const logMs = LOG_SPARE_MS + longestTimeout(messages);
    const { deduplicationMs, maxLength, dropOldest, unread } = context.options;
    this.keys = [log];
    this.args = [String(number), logMs, deduplicationMs, maxLength, dropOldest ? 1 : 0];
    this.args.push(unread.maxLength, unread.maxBytes, unread.maxAgeMs);
    for (const message of messages) this.add(message, context.keys);
  }

  /** Whether anybody still waits for it. */
  get isWanted(): boolean {
    return this.messages.some((message) => !message.isSettled);
  }

  /** Settles each message by the answer of the script; `blames`: the groups that keep a topic full. */
  settle(reply: PublishReply, blames: ReadonlyMap<string, string | undefined>): void {
    for (const [index, message] of this.messages.entries())
      this.settleOne(message, reply.results[index], reply, blames);
  }

  /** The topics that were full. */
  fullTopics({ results }: PublishReply): string[] {
    return [
      ...new Set(this.messages.flatMap(({ topic }, at) => (results[at] === streamFull ? [topic] : []))),
    ];
  }

  private settleOne(
    message: PendingPublish,
    result: string,
    { replicas, unlisted }: PublishReply,
    blames: ReadonlyMap<string, string | undefined>,
  ): void {
    const kind = result[0];
    if (kind === streamFull)
      message.fail(
        new StreamFullError(message.topic, this.context.options.maxLength, blames.get(message.topic)),
      );
    else if (kind === refused) message.fail(refusal(result.slice(1)));
    else if (unlisted !== undefined)
      message.fail(new PublishOutcomeUnknownError(message.topic, { cause: unlisted }));
    else if (replicas < this.context.options.replicas)
      message.fail(new NotReplicatedError(message.topic, replicas, this.context.options.replicas));
    else message.accept(receiptOf(kind === duplicate, kind === duplicate ? result.slice(1) : result));
  }

  private add({ topic, frame, options }: PendingPublish, keys: StreamKeys): void {
    const { deduplicate, id, delayMs = 0, ttlMs = 0, messages = 1 } = options;
    const names = keys.topic(topic);
    const bytes = asBuffer(frame);
    if (!deduplicate && delayMs <= 0 && ttlMs <= 0) {
      if (messages === 1) this.args.push('p', this.key(names.stream), bytes);
      else this.args.push('b', this.key(names.stream), bytes, messages);
      return;
    }
    const dedup = deduplicate ? this.key(names.dedup + id) : 0;
    const [stream, later, bodies] = [names.stream, names.later, names.laterBodies].map((name) =>
      this.key(name),
    );
    this.args.push('o', stream, later, bodies, dedup, bytes, Math.ceil(delayMs), Math.ceil(ttlMs));
  }

  private key(name: string): number {
    let number = this.keyNumbers.get(name);
    if (number === undefined) {
      number = this.keys.push(name);
      this.keyNumbers.set(name, number);
    }
    return number;
  }
}

function receiptOf(repeated: boolean, position: string): DriverReceipt {
  const receipt = position === delayed ? {} : { position };
  return repeated ? { ...receipt, duplicate: true } : receipt;
}

/** The script hands on what Redis answered to one of its commands. */
function refusal(text: string): DiscoBusError {
  return toDriverError(Object.assign(new Error(text), { name: 'ReplyError' }));
}

function longestTimeout(messages: readonly PendingPublish[]): number {
  let longest = 0;
  for (const { options } of messages) if (options.timeoutMs > longest) longest = options.timeoutMs;
  return longest;
}
