import {
  type DeadLetter,
  type DeadLetterRange,
  type DeadLetterStore,
  severalMessages,
} from '../../../../driver/dead-letters.js';
import { ConfigurationError } from '../../../../errors/bus.errors.js';
import { noGroup } from '../../../../errors/group.errors.js';
import {
  groupExistsScript,
  purgeScript,
  removeLetterScript,
  replayScript,
} from '../scripts/dead-letter-scripts.js';
import type { StreamCommand } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import type { GroupKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const groupExists = new StreamScript(groupExistsScript);
const replay = new StreamScript(replayScript);
const removeLetter = new StreamScript(removeLetterScript);
const purge = new StreamScript(purgeScript);

const position = /^\d{1,20}-\d{1,20}$/;

/** The dead letters of a group; rejects with ConfigurationError if the topic has no such group. */
export async function openDeadLetters(
  context: StreamContext,
  topic: string,
  group: string,
): Promise<DeadLetterStore> {
  const store = new RedisDeadLetters(context, context.keys.group(topic, group));
  if (await store.exists(group)) return store;
  throw noGroup(topic, group);
}

/** Dead letters in a stream of their own, beside the topic's. */
class RedisDeadLetters implements DeadLetterStore {
  private readonly letterKeys: readonly string[];

  constructor(
    private readonly context: StreamContext,
    private readonly keys: GroupKeys,
  ) {
    this.letterKeys = [keys.dead, keys.retry, keys.state, keys.parts];
  }

  async exists(group: string): Promise<boolean> {
    const { stream, dead } = this.keys;
    return (await this.ask((client) => groupExists.run(client, [stream, dead], [group]))) === 1;
  }

  count(): Promise<number> {
    return this.ask((client) => client.xlen(this.keys.dead));
  }

  async list({ after, at, limit }: DeadLetterRange): Promise<DeadLetter[]> {
    const behind = after === undefined ? '-' : `(${assertPosition(after)}`;
    const [from, to] = at === undefined ? [behind, '+'] : [assertPosition(at), at];
    const found = await this.ask((client) => client.xrangeBuffer(this.keys.dead, from, to, 'COUNT', limit));
    return found.map(([id, fields]) => deadLetter(id, fields));
  }

  async replay(where: string, frame?: Uint8Array): Promise<boolean> {
    if (!position.test(where)) return false;
    const args = frame === undefined ? [where] : [where, Buffer.from(frame)];
    const reply = await this.ask((client) => replay.run(client, this.letterKeys, args));
    if (reply === -1) throw severalMessages(where);
    return reply === 1;
  }

  async remove(where: string): Promise<boolean> {
    if (!position.test(where)) return false;
    return (await this.ask((client) => removeLetter.run(client, this.letterKeys, [where]))) === 1;
  }

  async purge(): Promise<number> {
    const { dead, state } = this.keys;
    return (await this.ask((client) => purge.run(client, [dead, state], []))) as number;
  }

  private ask<Reply>(command: StreamCommand<Reply>): Promise<Reply> {
    const { stream, dead, retry } = this.keys;
    return this.context.ask('deadLetters', [dead, stream, retry], command);
  }
}

function deadLetter(id: Buffer, fields: readonly Buffer[]): DeadLetter {
  const named = new Map<string, Buffer>();
  for (let index = 0; index + 1 < fields.length; index += 2)
    named.set(fields[index].toString('latin1'), fields[index + 1]);
  const text = (name: string) => named.get(name)?.toString();
  const reason = text('reason') ?? 'unknown';
  const name = text('name');
  const thrown = name === undefined ? undefined : { name, message: text('message') ?? '' };
  return {
    position: id.toString('latin1'),
    frame: named.get('f') ?? Buffer.alloc(0),
    ...(Number(text('m') ?? 1) > 1 && { messages: Number(text('m')) }),
    reason,
    error: reason === 'crashes' ? crashOf(text) : thrown,
    originalPosition: text('o'),
    attempts: Number(text('attempts') ?? 0),
    failedAt: Number(text('at') ?? 0),
    replays: Number(text('r') ?? 0),
  };
}

/** Stands in for the error that processes which died could not leave. */
function crashOf(text: (name: string) => string | undefined): DeadLetter['error'] {
  const heardMs = Number(text('heard') || Number.NaN);
  const when = Number.isFinite(heardMs)
    ? `, which was last heard of at ${new Date(heardMs).toISOString()}`
    : '';
  const last = text('by') ? `; the last one was "${text('by')}"${when}` : '';
  return {
    name: 'ProcessDied',
    message: `${text('crashes') ?? 'Several'} processes died while its handler ran${last}`,
  };
}

function assertPosition(where: string): string {
  if (position.test(where)) return where;
  throw new ConfigurationError('That is not the position of a dead letter');
}
