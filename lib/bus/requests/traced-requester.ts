import type { Headers } from '../../message/headers.js';
import type { TopicLabels } from '../../metrics/topic-labels.js';
import type { Trace, Tracing } from '../../tracing/tracing.js';
import { callerHeaders } from '../options/caller-headers.js';
import type { ReplyObserver } from './call.js';
import type { DirectCall, RequestHandle, ResolvedCall } from './call-options.js';
import type { Requester } from './requester.js';

/** Where the requests of a bus's callers go. */
export type Requesting = Pick<Requester, 'call' | 'ask'>;

/** A requester whose requests are traced, each until its replies have ended. Stands in front of it. */
export class TracedRequester implements Requesting {
  constructor(
    private readonly requester: Requester,
    private readonly tracing: Tracing,
    private readonly labels: TopicLabels,
  ) {}

  call(topic: string, payload: unknown, options: ResolvedCall, observer: ReplyObserver): RequestHandle {
    return this.traced(topic, topic, options, (replies, own) => {
      const headers = own ? { ...options.headers, ...own } : options.headers;
      return this.requester.call(topic, payload, { ...options, headers }, replies.toldTo(observer));
    });
  }

  /** The transport's own questions are nobody's request. */
  ask(topic: string, payload: unknown, options: DirectCall, observer: ReplyObserver): RequestHandle {
    if (options.aside) return this.requester.ask(topic, payload, options, observer);
    return this.traced(topic, options.name ?? topic, options, (replies, own) => {
      const headers = own ? { ...options.headers, ...own } : options.headers;
      return this.requester.ask(topic, payload, { ...options, headers }, replies.toldTo(observer));
    });
  }

  private traced(
    topic: string,
    name: string,
    options: { readonly headers?: Headers },
    send: (replies: TracedReplies, own: Headers | undefined) => RequestHandle,
  ): RequestHandle {
    const headers = callerHeaders(options.headers);
    const trace = this.tracing.begin({ type: 'request', topic, label: this.labels.known(name), headers });
    const replies = new TracedReplies(trace);
    replies.handle = send(replies, trace.headers());
    return replies;
  }
}

/** The replies to a traced request, on their way to who asked. */
class TracedReplies implements ReplyObserver, RequestHandle {
  handle!: RequestHandle;
  private observer!: ReplyObserver;
  private answered = false;

  constructor(private readonly trace: Trace) {}

  toldTo(observer: ReplyObserver): this {
    this.observer = observer;
    return this;
  }

  next(payload: unknown, headers: Headers): void {
    this.answered = true;
    this.observer.next(payload, headers);
  }

  complete(): void {
    this.trace.end();
    this.observer.complete();
  }

  error(error: unknown): void {
    this.trace.end({ error });
    this.observer.error(error);
  }

  /** Who has the one reply that it wants calls the rest off: that is success. */
  cancel(): void {
    this.trace.end({ unsuccessful: !this.answered });
    this.handle.cancel();
  }
}
