import { readFile } from 'node:fs/promises';
import type { DeadLetteredMessage } from '../../bus/operate/dead-letter-options.js';
import { type Command, flag, positional, valued, writeArgs } from '../command.js';
import { letterOf, noLetter, queueOf } from '../dead-letters.js';
import { editedText } from '../editor.js';
import { CommandFailure, exitCodes, usageError } from '../exit-codes.js';
import { parsedHeaders, parsedJson } from '../payloads.js';
import type { Run } from '../run.js';

/** `disco-bus dead edit <topic> <group> <position>` */
export const edit: Command = {
  summary: 'Hands one dead letter back to its group with another payload, other headers or both.',
  details:
    'The payload is JSON: of --payload or --file, else what is piped in, else, on a terminal, what VISUAL or EDITOR makes of\nthe present one. With --headers alone it stays as it is. The message keeps its id, and says in headers who edited it, and when.',
  examples: [
    `dead edit orders billing 1700000000000-0 --payload '{"id":1}'`,
    'dead edit orders billing 1700000000000-0 --yes < order.json',
  ],
  args: {
    topic: positional('The topic'),
    group: positional('The group'),
    position: positional('Which, as the list names it'),
    payload: valued('json', 'The payload, or - for stdin'),
    file: valued('path', 'A file that holds the payload'),
    raw: flag('The payload is not JSON, but bytes as they are'),
    headers: valued('json', `Headers over its own, as '{"x-tenant":"a"}'`),
    ...writeArgs,
  },
  patienceMs: Number.POSITIVE_INFINITY,
  run: replayEdited,
};

async function replayEdited(run: Run): Promise<void> {
  const { given } = run;
  const position = given.word('position');
  const text = given.text('headers');
  const headers = text === undefined ? undefined : parsedHeaders(text);
  const said = await givenPayload(run, headers !== undefined);
  const { queue, where } = await queueOf(run);
  const letter = await letterOf(queue, position, where);
  const payload = said === 'ask' ? await edited(run, letter) : said?.payload;
  const changed = [
    ...(payload === undefined ? [] : ['another payload']),
    ...(headers ? ['other headers'] : []),
  ];
  await run.confirm(`Hands back the dead letter ${position} ${where} with ${changed.join(' and ')}.`);
  if (!(await queue.replayEdited(position, { payload, headers, by: run.by })))
    throw noLetter(position, where);
  run.show({ replayed: 1, position }, () => '1 dead letter handed back, edited');
}

/** The payload that was given in some way; undefined to leave it as it is, 'ask' to have it edited. Rejects for one that cannot be. */
async function givenPayload(
  { given, terminal }: Run,
  others: boolean,
): Promise<{ payload: unknown } | 'ask' | undefined> {
  const [word, file] = [given.text('payload'), given.text('file')];
  if (word !== undefined && file !== undefined) throw usageError('Give only one of --payload and --file');
  const read = (bytes: Buffer) => ({
    payload: given.has('raw') ? bytes : parsedJson(bytes.toString('utf8'), 'The payload'),
  });
  if (file !== undefined) return read(await contentsOf(file));
  if (word !== undefined && word !== '-') return read(Buffer.from(word));
  if (word === undefined && others) return undefined;
  if (word === undefined && terminal.canAsk) return 'ask';
  const piped = await terminal.bytes();
  if (piped.length > 0) return read(piped);
  throw usageError('There is no payload: say --payload or --file, or pipe it in');
}

async function contentsOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw usageError(`--file cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function edited(run: Run, { message, position }: DeadLetteredMessage): Promise<unknown> {
  if (run.given.has('raw')) throw usageError('Bytes are not edited here: say --file, or pipe them in');
  if (message === undefined || message.payload instanceof Uint8Array)
    throw usageError(`The payload of ${position} is no JSON that can be edited: say --payload or --file`);
  const before = JSON.stringify(message.payload, null, 2) ?? 'null';
  for (let text = before; ; ) {
    text = await editedText(text, run.terminal.editor, run.signal);
    if (text.trim() === before.trim())
      throw new CommandFailure(exitCodes.failed, 'Nothing was changed, nothing was done');
    try {
      return parsedJson(text, 'The payload');
    } catch {
      await run.mustGoOn('The payload is not JSON: the editor opens again.');
    }
  }
}
