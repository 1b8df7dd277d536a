import {
  type BusLogger,
  errorFields,
  errorLine,
  headerFields,
  headerWords,
  type LogEvent,
  type LogFields,
  printable,
  stackOf,
} from '../bus/options/bus-logger.js';
import type { Message } from '../message/message.js';

/** A request, and the pattern that its client named. */
export interface ToldRequest {
  readonly pattern: string;
  readonly message: Pick<Message, 'id' | 'headers'>;
}

/** Writes what went wrong with requests to the logger of the bus, which a storm does not flood. */
export class RequestLog {
  constructor(private readonly logger: BusLogger) {}

  /** What no filter has made an answer of. */
  failed(request: ToldRequest, error: unknown): void {
    const text = `${named(request)} failed: ${errorLine(error)}${stackOf(error)}`;
    this.logger.error(text, fieldsOf('request-failed', request, error));
  }

  /** Nest's log names the exception of a pipe and not what is wrong with the payload. */
  refused(request: ToldRequest, error: unknown): void {
    const text = `${named(request)} was refused: ${errorLine(error)}`;
    this.logger.warn(text, fieldsOf('request-refused', request, error));
  }

  /** The deserializer has failed. */
  unreadable(request: ToldRequest, error: unknown): void {
    const text = `${named(request)} could not be read: ${errorLine(error)}${stackOf(error)}`;
    this.logger.error(text, fieldsOf('request-unreadable', request, error));
  }

  /** The serializer has failed. */
  unanswered(request: ToldRequest, error: unknown): void {
    const text = `The reply to ${named(request, 'request')} could not be written: ${errorLine(error)}`;
    this.logger.error(text, fieldsOf('reply-not-written', request, error));
  }
}

function named({ pattern, message: { id, headers } }: ToldRequest, request = 'Request'): string {
  return `${request} ${id} to "${printable(pattern)}"${headerWords(headerFields(headers))}`;
}

function fieldsOf(event: LogEvent, { pattern, message }: ToldRequest, error: unknown): LogFields {
  const { id: messageId, headers } = message;
  return { event, topic: printable(pattern), messageId, ...headerFields(headers), ...errorFields(error) };
}
