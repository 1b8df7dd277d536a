import type { DiscoBus } from '../bus/disco-bus.js';
import { REPLY_KIND_HEADER } from '../bus/requests/request-headers.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import type { RemoteError } from '../errors/request.errors.js';
import type { Headers } from '../message/headers.js';
import type { Duration } from '../timing/duration.js';
import { PACKET_HEADER, PATTERN_HEADER } from './packet.js';
import type { PatternDirectory } from './pattern-directory.js';
import { RESPONDERS, requestTopic, routeOfTopic, topicOfRoute } from './pattern-topic.js';
import type { ReplyReader } from './reply-reader.js';

/** What a {@link ClientRequest} is made of. */
export interface ClientRequestParts {
  readonly bus: DiscoBus;
  readonly topic: string;
  readonly mode: 'one' | 'every';
  readonly payload: unknown;
  readonly timeout: Duration | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly directory: PatternDirectory;
  readonly reader: ReplyReader;
  /** Nothing is left to be failed or called off. */
  readonly onEnded: () => void;
}

/** One `send` of a client. A request that nobody answers by its topic goes to a pattern with wildcards, if one answers. */
export class ClientRequest {
  private ended = false;
  private stop: () => void = () => {};

  constructor(private readonly parts: ClientRequestParts) {}

  /** Throws ConfigurationError for malformed options. */
  start(): void {
    const { directory, topic, mode } = this.parts;
    const pattern = mode === 'one' ? directory.known(topic) : undefined;
    if (pattern === undefined) this.send(topic, mode === 'one');
    else this.sendToPattern(pattern, true);
  }

  callOff(): void {
    if (this.end()) this.stop();
  }

  fail(error: unknown): void {
    if (!this.end()) return;
    this.stop();
    this.parts.reader.error(error);
  }

  private sendToPattern(pattern: string, mayAsk: boolean): void {
    this.send(topicOfRoute(pattern), mayAsk, { [PATTERN_HEADER]: routeOfTopic(this.parts.topic) });
  }

  private send(topic: string, mayAsk: boolean, extra?: Readonly<Record<string, string>>): void {
    const { bus, mode, payload, timeout, headers, reader } = this.parts;
    const options = {
      timeout,
      headers: extra ? { ...headers, ...extra } : headers,
      delivery: mode === 'one' ? ('at-least-once' as const) : ('at-most-once' as const),
      group: mode === 'one' ? RESPONDERS : undefined,
    };
    this.stop = bus.requestStream(requestTopic(topic, mode), payload, options, {
      next: (reply: unknown, received: Headers) => {
        const last = received[REPLY_KIND_HEADER] === 'last';
        reader.next(reply, received[PACKET_HEADER] !== undefined, last, this.stop);
      },
      complete: () => {
        if (this.end()) reader.complete();
      },
      error: (error) => {
        if (mayAsk && isDiscoBusError(error, 'DISCO_NO_RESPONDERS')) void this.ask(error);
        else if (this.end()) {
          reader.error(isDiscoBusError(error, 'DISCO_REMOTE') ? (error as RemoteError).details : error);
        }
      },
    });
  }

  /** Nobody answers by that name, or not any more. */
  private async ask(error: unknown): Promise<void> {
    const { bus, directory, topic } = this.parts;
    directory.forget(topic);
    const pattern = await directory.find(bus, topic);
    if (this.ended) return;
    if (pattern === undefined) this.fail(error);
    else this.sendToPattern(pattern, false);
  }

  private end(): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.parts.onEnded();
    return true;
  }
}
