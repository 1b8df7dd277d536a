import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { hrTimeToMilliseconds, W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { filter, firstValueFrom, ReplaySubject, take, toArray } from 'rxjs';

/** Registers OpenTelemetry's SDK for this process. Spans stay here; an application sends them to its collector. */
export class Telemetry {
  private readonly spans = new ReplaySubject<ReadableSpan>();

  constructor() {
    const keep = {
      onStart: () => {},
      onEnd: (span: ReadableSpan) => this.spans.next(span),
      forceFlush: async () => {},
      shutdown: async () => this.spans.complete(),
    };
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [keep] }));
  }

  /** Resolves when `count` spans of that name have ended. */
  async ended(name: string, count = 1): Promise<void> {
    await firstValueFrom(
      this.spans.pipe(
        filter((span) => span.name === name),
        take(count),
        toArray(),
      ),
    );
  }

  /** Every trace as a story: what began it, and indented below each span what it led to. Call it last. */
  async stories(): Promise<string[]> {
    this.spans.complete();
    const spans = await firstValueFrom(this.spans.pipe(toArray()));
    spans.sort((a, b) => hrTimeToMilliseconds(a.startTime) - hrTimeToMilliseconds(b.startTime));
    const below = (parentId: string | undefined) =>
      spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parentId);
    const lines = (span: ReadableSpan, indent: string): string[] => [
      indent + lineOf(span),
      ...below(span.spanContext().spanId).flatMap((child) => lines(child, `${indent}  `)),
    ];
    return below(undefined).map((root) =>
      [`trace ${root.spanContext().traceId}`, ...lines(root, '    ')].join('\n'),
    );
  }
}

function lineOf({ name, attributes, duration, status, events }: ReadableSpan): string {
  const attempt = attributes['messaging.disco_bus.attempt'];
  const which = attempt === undefined ? '' : `, attempt ${attempt}`;
  const took = `${Math.round(hrTimeToMilliseconds(duration))} ms`;
  if (status.code !== SpanStatusCode.ERROR) return `${name}${which}: ${took}`;
  const thrown = events.find((event) => event.name === 'exception')?.attributes?.['exception.message'];
  return `${name}${which}: ${took}, failed: ${thrown ?? status.message ?? attributes['error.type']}`;
}
