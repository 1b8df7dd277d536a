import type { WritePacket } from '@nestjs/microservices';
import type { ReplyObserver } from '../bus/requests/call.js';
import type { RequestHandle } from '../bus/requests/call-options.js';
import { REPLY_KIND_HEADER } from '../bus/requests/request-headers.js';
import type { TransportAccess } from '../bus/transport-access.js';
import type { RequestDefinition } from '../contract/definition.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import type { RemoteError } from '../errors/request.errors.js';
import type { Headers } from '../message/headers.js';
import type { Linked } from '../timing/ring.js';
import type { Instance, InstanceDirectory } from './instance-directory.js';
import { PACKET_HEADER, PATTERN_HEADER } from './packet.js';
import { everyTopic, routeOfTopic } from './pattern-topic.js';
import type { ReplyReader } from './reply-reader.js';

/** What the requests of a client have in common. */
export interface ClientRequestHost {
  readonly access: TransportAccess;
  readonly mode: 'one' | 'every';
  readonly directory: InstanceDirectory;
  /** Undefined where replies are the results themselves. */
  reader(callback: (packet: WritePacket) => void, replyIsPacket: boolean): ReplyReader | undefined;
  /** Nothing is left to be failed or called off. */
  onEnded(request: ClientRequest): void;
}

/** One `send`, as far as it is settled before it is sent. */
export interface OutgoingRequest {
  readonly topic: string;
  /** The pattern, as the client named it. */
  readonly name: string;
  readonly payload: unknown;
  readonly timeoutMs: number;
  /** Checked. */
  readonly headers: Headers | undefined;
  readonly callback: (packet: WritePacket) => void;
  /** What is known of the request. */
  readonly definition: RequestDefinition | undefined;
}

/** So many instances may have gone without a word before a request is given up. */
const MOST_TRIES = 16;

/** One `send` of a client. What finds that its instance has gone reached nobody, and goes to the next one. */
export class ClientRequest implements ReplyObserver, Linked {
  older: Linked | undefined = undefined;
  newer: Linked | undefined = undefined;
  private ended = false;
  private sent: RequestHandle | undefined;
  private instance: Instance | undefined;
  private reader: ReplyReader | undefined;
  private tries = 0;
  private readonly startedMs = performance.now();
  /** It was not sent at once: some of its time is over. */
  private waited = false;

  constructor(
    private readonly host: ClientRequestHost,
    private readonly request: OutgoingRequest,
  ) {}

  start(): void {
    const { host, request } = this;
    if (host.mode === 'every') this.send(everyTopic(request.topic));
    else this.sendToOne();
  }

  callOff(): void {
    if (this.end()) this.sent?.cancel();
  }

  fail(error: unknown): void {
    this.sent?.cancel();
    this.error(error);
  }

  next(reply: unknown, headers: Headers): void {
    const last = headers[REPLY_KIND_HEADER] === 'last';
    const isPacket = headers[PACKET_HEADER] !== undefined;
    this.reader ??= this.host.reader(this.request.callback, isPacket);
    if (this.reader) this.reader.next(reply, isPacket, last, () => this.sent?.cancel());
    else if (!last) this.request.callback({ response: reply });
    else if (this.end()) this.request.callback({ response: reply, isDisposed: true });
  }

  complete(): void {
    if (!this.end()) return;
    if (this.reader) this.reader.complete();
    else this.request.callback({ isDisposed: true });
  }

  error(error: unknown): void {
    if (this.ended) return;
    const { instance, host, request } = this;
    if (instance && this.tries < MOST_TRIES && isDiscoBusError(error, 'DISCO_NO_RESPONDERS')) {
      this.waited = true;
      this.release();
      host.directory.forget(request.topic, instance);
      this.sendToOne();
      return;
    }
    this.end();
    const err = isDiscoBusError(error, 'DISCO_REMOTE') ? (error as RemoteError).details : error;
    if (this.reader) this.reader.error(err);
    else request.callback({ err, isDisposed: true });
  }

  private sendToOne(): void {
    const { directory, access } = this.host;
    const { topic } = this.request;
    const known = directory.pick(access, topic);
    if (known) {
      this.sendTo(known);
      return;
    }
    this.waited = true;
    directory.find(access, topic, this.request.timeoutMs, this.leftMs()).then(
      (found) => {
        if (!this.ended) this.sendTo(found);
      },
      (error: unknown) => this.error(error),
    );
  }

  private sendTo(instance: Instance): void {
    this.instance = instance;
    this.tries++;
    instance.waiting++;
    this.send(instance.topic);
  }

  private send(topic: string): void {
    const { payload, timeoutMs, topic: asked, name, headers: given, definition } = this.request;
    // An instance's topic names the pattern; where that has wildcards it must be told what was asked for.
    const named = !this.instance || topic.endsWith(`.${asked}`);
    const headers = named ? given : { ...given, [PATTERN_HEADER]: routeOfTopic(asked) };
    // The first look-up and those before took of the request's own time.
    const leftMs = this.waited ? this.leftMs() : undefined;
    const { access } = this.host;
    const checked = definition && access.checkedReplies(definition, this);
    if (checked) checked.callOff = () => this.sent?.cancel();
    this.sent = access.request(
      topic,
      payload,
      { timeoutMs, leftMs, headers, name, sole: this.instance !== undefined },
      checked ?? this,
    );
  }

  private leftMs(): number {
    return Math.max(1, Math.ceil(this.request.timeoutMs - (performance.now() - this.startedMs)));
  }

  private release(): void {
    if (this.instance) this.instance.waiting--;
    this.instance = undefined;
  }

  private end(): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.release();
    this.host.onEnded(this);
    return true;
  }
}
