import { isError } from '../../errors/is-error.js';
import type { Headers } from '../../message/headers.js';
import { CORRELATION_HEADER } from '../../middleware/correlation.js';

/** Every `event` of a line; docs/operations/logs.md says when each is written. */
export const logEvents = [
  'connected',
  'connected-again',
  'connection-lost',
  'not-connected-yet',
  'never-connected',
  'messages-missed',
  'handler-failed',
  'message-waits',
  'given-up',
  'dead-lettered',
  'expired',
  'handler-slow',
  'handler-timeout',
  'handler-late',
  'handler-outlasted',
  'outcome-not-recorded',
  'reply-not-sent',
  'reply-not-written',
  'request-failed',
  'request-refused',
  'request-unreadable',
  'lock-lost',
  'group-set',
  'operator-action',
  'audit-failed',
  'groups-not-read',
  'group-abandoned',
  'dead-letters-full',
  'deduplication-full',
  'topic-unread',
  'topic-trimmed',
  'data-loss',
  'server-full',
  'server-has-room',
  'server-evicts',
  'driver-error',
  'service-not-named',
  'nobody-listened',
  'event-listener-failed',
  'handlers-abandoned',
  'farewell-failed',
  'shutdown-late',
  'shutdown-failed',
  'drained',
  'outbox-waits',
  'outbox-set-aside',
  'outbox-stopped',
  'outbox-goes-on',
  'outbox-not-notified',
  'lines-left-out',
] as const;

/** What a line of the log tells of. */
export type LogEvent = (typeof logEvents)[number];

/**
 * What a line of the log is about, for loggers that keep fields: plain values, only those that apply. Payloads and passwords are
 * never among them.
 */
export interface LogFields {
  readonly event: LogEvent;
  readonly topic?: string;
  readonly group?: string;
  /** The handler's name: `Class.method` of a decorated one. */
  readonly handler?: string;
  readonly messageId?: string;
  /** Of the message that is handled: its `x-correlation-id` header. */
  readonly correlationId?: string;
  /** Of the message that is handled: the trace id in its `traceparent` header, 32 hexadecimal digits. */
  readonly traceId?: string;
  /** Name and message of the error. */
  readonly error?: string;
  /** Its `code`. */
  readonly errorCode?: string;
  readonly [more: string]: string | number | boolean | undefined;
}

/**
 * Where a bus writes what its operator should know: a line that says all in words, and the same as fields for loggers that keep
 * them. Nest's Logger and the console both fit.
 */
export interface BusLogger {
  log(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a log.
const controls = /[\x00-\x1f\x7f]+/g;

/** The trace id of a W3C `traceparent`. */
const traceParent = /^[0-9a-f]{2}-([0-9a-f]{32})-/;

/** One line on an error: its name and message, without control characters, at most 300 characters. */
export function errorLine(error: unknown): string {
  return printable(textOf(error));
}

/** Total, whatever an error of a caller's own holds. */
function textOf(error: unknown): string {
  if (!isError(error)) return `a value of type ${typeof error}`;
  try {
    return `${error.name}: ${error.message}`;
  } catch {
    return 'an error that cannot be read';
  }
}

/** The fields that tell an error. Total, whatever an error of a caller's own holds. */
export function errorFields(error: unknown): Pick<LogFields, 'error' | 'errorCode'> {
  const code = fieldOf(error, 'code');
  return { error: errorLine(error), ...(code !== undefined && { errorCode: printable(code) }) };
}

/** A text that an error of a caller's own holds under `name`; undefined where it is none, or cannot be read. */
function fieldOf(error: unknown, name: 'code' | 'stack'): string | undefined {
  try {
    const value: unknown = Object(error)[name];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The fields by which a message is found again elsewhere, where its headers have them. */
export function headerFields(headers: Headers): Pick<LogFields, 'correlationId' | 'traceId'> {
  const correlationId = headers[CORRELATION_HEADER];
  const traceId = traceParent.exec(headers.traceparent ?? '')?.[1];
  return {
    ...(correlationId !== undefined && { correlationId: printable(correlationId) }),
    ...(traceId !== undefined && { traceId }),
  };
}

/** The same in words, to stand behind the message; nothing where there is none. */
export function headerWords({ correlationId, traceId }: ReturnType<typeof headerFields>): string {
  const words = [];
  if (correlationId !== undefined) words.push(`correlation ${correlationId}`);
  if (traceId !== undefined) words.push(`trace ${traceId}`);
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

/** Without control characters, at most 300 characters. */
export function printable(text: string): string {
  return text.replace(controls, ' ').slice(0, 300);
}

/** Frames of a stack that are told. */
const FRAMES = 8;

/** Where an error was thrown: lines to stand below the one that tells of it; nothing where that is not known. */
export function stackOf(error: unknown): string {
  const stack = isError(error) ? fieldOf(error, 'stack') : undefined;
  if (stack === undefined) return '';
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames
    .slice(0, FRAMES)
    .map((line) => `\n${line.replace(controls, ' ')}`)
    .join('');
}
