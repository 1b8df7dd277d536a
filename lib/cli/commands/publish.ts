import type { PublishOptions } from '../../bus/options/bus-options.js';
import { type Command, consentArgs, flag, positional, valued } from '../command.js';
import { CommandFailure, failureOf, usageError } from '../exit-codes.js';
import { parsedHeaders, parsedJson } from '../payloads.js';
import type { Run } from '../run.js';

/** `disco-bus publish <topic> <json>` */
export const publish: Command = {
  summary: 'Publishes one message, by default at least once.',
  details:
    'The payload is JSON; "-" reads it from stdin. While it publishes it counts as one who uses the topic so, and as\nnobody afterwards.',
  examples: [
    `publish orders '{"id":1}'`,
    'publish ticks 1 --delivery at-most-once --yes',
    'publish orders - --yes < order.json',
  ],
  args: {
    topic: positional('The topic'),
    payload: positional('JSON, or - for stdin'),
    delivery: valued('guarantee', 'at-least-once or at-most-once. Default: at-least-once'),
    raw: flag('The payload is not JSON, but bytes as they are'),
    headers: valued('json', `Headers, as '{"x-tenant":"a"}'`),
    key: valued('key', 'What the message belongs to, where subscribers keep the order of keys'),
    id: valued('id', 'The same id is not stored twice within two minutes'),
    delay: valued('duration', 'Not delivered before this has passed'),
    at: valued('time', 'Not delivered before, as 2026-01-31T12:00:00Z'),
    ttl: valued('duration', 'Not delivered any more after this has passed'),
    ...consentArgs,
  },
  run: send,
};

async function send(run: Run): Promise<void> {
  const { given } = run;
  const topic = given.word('topic');
  const options = optionsOf(run);
  const payload = await payloadOf(run);
  const { bus } = await run.session();
  if (options.delivery !== 'at-most-once' && (await bus.inspect.topic(topic)) === undefined)
    run.terminal.tell(`Nothing is stored of "${topic}" yet, and no group reads it`);
  await run.confirm(`Publishes one message to "${topic}".`);
  try {
    const receipt = await bus.publish(topic, payload, options);
    run.show(receipt, () => {
      const { id, position, receivers } = receipt;
      const where = position === undefined ? '' : ` at ${position}`;
      return `Published ${id}${where}${receivers === undefined ? '' : ` to ${receivers} subscribers`}`;
    });
  } catch (error) {
    const { exitCode, message } = failureOf(error);
    if ((error as { code?: string }).code !== 'DISCO_TOPIC_CONFLICT') throw error;
    throw new CommandFailure(exitCode, `${message} (--delivery says how to publish)`);
  }
}

function optionsOf({ given, timeoutMs }: Run): PublishOptions {
  const headers = given.text('headers');
  const [delay, at] = [given.durationMs('delay'), given.time('at')];
  if (delay !== undefined && at !== undefined) throw usageError('Give only one of --delay and --at');
  return {
    delivery: given.choice('delivery', ['at-least-once', 'at-most-once']),
    headers: headers === undefined ? undefined : parsedHeaders(headers),
    key: given.text('key'),
    id: given.text('id'),
    delay,
    at,
    ttl: given.durationMs('ttl', 1),
    timeout: timeoutMs,
  };
}

async function payloadOf({ given, terminal }: Run): Promise<unknown> {
  const word = given.word('payload');
  const text = word === '-' ? await terminal.input() : word;
  return given.has('raw') ? Buffer.from(text) : parsedJson(text, 'The payload');
}
