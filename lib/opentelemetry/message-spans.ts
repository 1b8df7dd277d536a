import {
  type Attributes,
  type Context,
  context,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { CORRELATION_HEADER } from '../middleware/correlation.js';
import type {
  Trace,
  TracedAcquire,
  TracedHold,
  TracedMessage,
  TracedOperation,
  TracedProcess,
  TracedProcessBatch,
  TracedPublish,
  TracedPublishBatch,
  TracedRequest,
  TracedSettlement,
} from '../tracing/tracing.js';
import { attribute, SYSTEM } from './conventions.js';
import type { Measured } from './instruments.js';
import { carrierOf, carriesContext, contextIn, linksTo } from './message-context.js';
import { type Carrier, SpanTrace, type SpanTraceSettings } from './span-trace.js';

/** What {@link MessageSpans} works with. */
export interface MessageSpansParts {
  readonly tracer: Tracer;
  readonly createSpans: boolean;
  readonly parentWithinMs: number;
  readonly attributes: Attributes;
  readonly settings: SpanTraceSettings;
}

/** An operation as the conventions name it. */
interface Operation {
  readonly name: string;
  readonly type: 'create' | 'send' | 'process' | 'settle';
  readonly topic: string | undefined;
  readonly label: string | undefined;
  readonly group?: string;
  /** Of spans alone: measurements are kept for each combination of the others. */
  readonly details?: Attributes;
}

/** How a span is started. */
interface Start {
  readonly kind: SpanKind;
  readonly parent: Context;
  readonly links?: Link[];
  readonly root?: boolean;
}

/** The spans of messages, from their publish to their settlement. */
export class MessageSpans {
  constructor(private readonly parts: MessageSpansParts) {}

  begin(operation: Exclude<TracedOperation, TracedAcquire | TracedHold>): Trace {
    switch (operation.type) {
      case 'publish':
      case 'request':
        return this.send(operation);
      case 'publish-batch':
        return this.sendBatch(operation);
      case 'process':
        return this.process(operation);
      case 'process-batch':
        return this.processBatch(operation);
      case 'settle':
        return this.settle(operation);
    }
  }

  /** A context that the caller gave is the one that the message was made in: it is linked, and goes with it untouched. */
  private send({ type, topic, label, headers }: TracedPublish | TracedRequest): Trace {
    const details = { [attribute.conversationId]: headers[CORRELATION_HEADER] };
    const operation = { name: type, type: 'send', topic, label, details } as const;
    const parent = context.active();
    const unsuccessful = [attribute.calledOff, true] as const;
    const given = carriesContext(headers);
    const start = given
      ? { kind: SpanKind.CLIENT, parent, links: linksTo([contextIn(headers)]) }
      : { kind: SpanKind.PRODUCER, parent };
    return this.trace(operation, start, { sent: 1, unsuccessful, given: given ? undefined : headers });
  }

  private sendBatch({ topic, label, headers, messages, carriesHeaders }: TracedPublishBatch): Trace {
    const details = {
      [attribute.batchSize]: messages,
      [attribute.conversationId]: headers[CORRELATION_HEADER],
    };
    const operation = { name: 'publish', type: 'send', topic, label, details } as const;
    const parent = context.active();
    if (carriesContext(headers)) {
      const links = linksTo([contextIn(headers)]);
      return this.trace(operation, { kind: SpanKind.CLIENT, parent, links }, { sent: messages });
    }
    if (!carriesHeaders || !this.parts.createSpans)
      return this.trace(operation, { kind: SpanKind.PRODUCER, parent }, { sent: messages, given: headers });
    const created = Array.from({ length: messages }, () => this.create(topic, label, parent));
    const carriers = created.map((each) => carrierOf(each, headers));
    return this.trace(
      operation,
      { kind: SpanKind.CLIENT, parent, links: linksTo(created) },
      { sent: messages, carriers },
    );
  }

  /** The span of one message of a batch; returns the context that goes with it. */
  private create(topic: string, label: string | undefined, parent: Context): Context {
    const operation = { name: 'create', type: 'create', topic, label } as const;
    const span = this.span(operation, { kind: SpanKind.PRODUCER, parent });
    span.end();
    return trace.setSpan(parent, span);
  }

  private process({ topic, label, group, message }: TracedProcess): Trace {
    const details = {
      [attribute.messageId]: message.id,
      [attribute.attempt]: message.attempt,
      [attribute.replayed]: message.replayed || undefined,
      [attribute.conversationId]: message.headers[CORRELATION_HEADER],
    };
    const operation = { name: 'process', type: 'process', topic, label, group, details } as const;
    const parent = contextIn(message.headers);
    this.consumed(operation, message.first ? 1 : 0);
    const start = { kind: SpanKind.CONSUMER, parent, links: linksTo([parent]), root: this.isApart(message) };
    return this.trace(operation, start, {});
  }

  private processBatch({ topic, label, group, messages }: TracedProcessBatch): Trace {
    const details = { [attribute.batchSize]: messages.length };
    const operation = { name: 'process', type: 'process', topic, label, group, details } as const;
    this.consumed(operation, messages.filter(({ first }) => first).length);
    const links = linksTo(messages.map(({ headers }) => contextIn(headers)));
    return this.trace(operation, { kind: SpanKind.CONSUMER, parent: ROOT_CONTEXT, links }, {});
  }

  private settle({ topic, label, outcome, id, group }: TracedSettlement): Trace {
    const details = { [attribute.messageId]: id };
    const operation = { name: outcome, type: 'settle', topic, label, group, details } as const;
    return this.trace(operation, { kind: SpanKind.CLIENT, parent: context.active() }, {});
  }

  /** Long after its publish, or replayed, a message is a story of its own: a trace must come to an end. */
  private isApart({ replayed, timestamp }: TracedMessage): boolean {
    return replayed || Date.now() - timestamp > this.parts.parentWithinMs;
  }

  private consumed(operation: Operation, messages: number): void {
    if (messages > 0) this.parts.settings.instruments()?.consumed.add(messages, this.shared(operation));
  }

  /** `given`: the caller's headers, beside which the message is to carry the context of the span. */
  private trace(
    operation: Operation,
    start: Start,
    more: {
      readonly sent?: number;
      readonly given?: Readonly<Carrier>;
      readonly carriers?: readonly Carrier[];
      readonly unsuccessful?: readonly [string, boolean];
    },
  ): Trace {
    const span = this.span(operation, start);
    const { sent, given, unsuccessful } = more;
    const within = trace.setSpan(start.parent, span);
    const carriers = given ? [carrierOf(within, given)] : more.carriers;
    const measured: Measured = {
      kind: operation.type === 'process' ? 'processing' : 'operations',
      attributes: this.shared(operation),
      sent,
    };
    return new SpanTrace({ span, context: within, carriers, measured, unsuccessful }, this.parts.settings);
  }

  private span(operation: Operation, { kind, parent, links, root }: Start) {
    const { name, topic, label, details } = operation;
    const attributes = { ...this.shared(operation), [attribute.destination]: topic, ...details };
    const title = label === undefined ? name : `${name} ${label}`;
    return this.parts.tracer.startSpan(title, { kind, attributes, links, root }, parent);
  }

  /** Of spans and measurements. A topic that stands under the name of a pattern is not named by itself. */
  private shared({ name, type, topic, label, group }: Operation): Attributes {
    return {
      ...this.parts.attributes,
      [attribute.system]: SYSTEM,
      [attribute.operationName]: name,
      [attribute.operationType]: type,
      ...(label !== undefined && { [label === topic ? attribute.destination : attribute.template]: label }),
      ...(group !== undefined && { [attribute.group]: group }),
    };
  }
}
