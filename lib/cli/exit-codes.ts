import { type DiscoBusError, isDiscoBusError } from '../errors/disco-bus-error.js';
import type { WouldLoseMessagesError } from '../errors/group.errors.js';

/** What the process ends with. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  rights: 4,
  away: 5,
  threshold: 6,
  breaking: 7,
  interrupted: 130,
} as const;

/** Why a command ends otherwise than well: `message` is for its user, without a stack. */
export class CommandFailure extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

export const usageError = (text: string) => new CommandFailure(exitCodes.usage, text);
export const notFound = (text: string) => new CommandFailure(exitCodes.notFound, text);

/** The failure that any error of a command is. */
export function failureOf(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  const text = error instanceof Error ? error.message : 'Something failed that is no error';
  if (isDiscoBusError(error)) return new CommandFailure(codeOf(error), textOf(error));
  return new CommandFailure((error as { code?: string }).code === 'EARG' ? exitCodes.usage : 1, text);
}

/** Whether the server could not be asked: the same may go well later. */
export function isAway(error: unknown): boolean {
  return failureOf(error).exitCode === exitCodes.away;
}

const refused = /\b(NOPERM|NOAUTH|WRONGPASS)\b/;
const away = new Set(['DISCO_NOT_CONNECTED', 'DISCO_PUBLISH_TIMEOUT', 'DISCO_PUBLISH_OUTCOME_UNKNOWN']);

function codeOf(error: DiscoBusError): number {
  if (error.code === 'DISCO_TOPIC_INVALID') return exitCodes.usage;
  if (chainOf(error).some(({ message }) => refused.test(message))) return exitCodes.rights;
  // What a lock store could not be asked is as bad as what kept it from asking.
  if (error.code === 'DISCO_LOCK_UNAVAILABLE')
    return isDiscoBusError(error.cause) ? codeOf(error.cause) : exitCodes.away;
  // A server that did not answer is the one cause of a driver's error that has none itself.
  if (away.has(error.code) || (error.code === 'DISCO_DRIVER' && error.cause === undefined))
    return exitCodes.away;
  return exitCodes.failed;
}

function textOf(error: DiscoBusError): string {
  if (error.code === 'DISCO_WOULD_LOSE_MESSAGES') {
    const { topic, group, messages } = error as unknown as WouldLoseMessagesError;
    return `"${topic}": the group "${group}" has not handled ${messages} messages, which would be lost`;
  }
  const [first, ...causes] = chainOf(error).map(({ message }) => message);
  const more = causes.filter((text, index) => ![first, ...causes.slice(0, index)].join().includes(text));
  return [first, ...more].join(': ');
}

function chainOf(error: Error): Error[] {
  const chain: Error[] = [];
  for (let each: unknown = error; each instanceof Error && chain.length < 5; each = each.cause)
    chain.push(each);
  return chain;
}
