import type { Redis } from 'ioredis';
import { isBundle, readBundle } from '../../../lib/message/bundle.js';

/** What is in Redis for one group, counted frame by frame. */
export interface HandCount {
  readonly waiting: number;
  readonly held: number;
  readonly retries: number;
  readonly deadLetters: { entries: number; messages: number; byReason: Record<string, number> };
}

type Entry = [id: Buffer, fields: Buffer[]];

/** Reads all frames of a topic's stream, and of the group's own, and counts the messages in them: slow, and sure. */
export async function countByHand(admin: Redis, topic: string, group: string): Promise<HandCount> {
  const stream = `disco:{${topic}}`;
  const [main, back] = [
    await countStream(admin, stream, group, 'S', stream),
    await countStream(admin, `${stream}:retry:${group}`, group, 'R', stream),
  ];
  const letters = await admin.xrangeBuffer(`${stream}:dead:${group}`, '-', '+');
  const byReason: Record<string, number> = {};
  for (const [, fields] of letters) {
    const reason = fieldOf(fields, 'reason')?.toString() ?? '';
    byReason[reason] = (byReason[reason] ?? 0) + 1;
  }
  return {
    waiting: main.waiting + back.waiting,
    held: main.held + back.held,
    retries: await admin.zcard(`${stream}:delayed:${group}`),
    deadLetters: { entries: letters.length, messages: sum(letters.map(messagesIn)), byReason },
  };
}

async function countStream(admin: Redis, key: string, group: string, letter: 'S' | 'R', stream: string) {
  const groups = (await admin.call('XINFO', 'GROUPS', key)) as string[][];
  const info = groups.find(([, name]) => name === group)!;
  const position = info[info.indexOf('last-delivered-id') + 1];
  const unread = (await admin.xrangeBuffer(key, `(${position}`, '+')) as Entry[];
  const parts = await admin.hgetall(`${stream}:parts:${group}`);
  const settled = (id: string) => (parts[letter + id] ? parts[letter + id].split(',').length : 0);
  const pending = (await admin.xpending(key, group, '-', '+', 100_000)) as [string][];
  let held = 0;
  for (const [id] of pending) {
    const [entry] = (await admin.xrangeBuffer(key, id, id)) as (Entry | undefined)[];
    // Settled between the two looks: nobody holds it any more.
    if (entry !== undefined) held += messagesIn(entry) - settled(id);
  }
  const waiting = sum(unread.map((entry) => messagesIn(entry) - settled(entry[0].toString())));
  return { waiting, held };
}

function messagesIn([, fields]: Entry): number {
  const frame = fieldOf(fields, 'f')!;
  return isBundle(frame) ? readBundle(frame).length : 1;
}

function fieldOf(fields: readonly Buffer[], name: string): Buffer | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === name);
  return at < 0 ? undefined : fields[at + 1];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
