import { context, metrics, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Collector } from './collector.js';

/** A span as it is compared, and as one process tells it another. */
export interface ToldSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Null where it is the first of its trace. */
  readonly parentId: string | null;
  /** Ids of the spans that are linked. */
  readonly links: readonly string[];
  readonly attributes: Record<string, unknown>;
  readonly failed: boolean;
  readonly message: string | undefined;
  readonly events: readonly string[];
}

/** The SDK of an application, registered for this process, with all that it collects in memory. */
export class Telemetry {
  private readonly ended = new Collector<ToldSpan>();
  private readonly exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  private readonly reader = new PeriodicExportingMetricReader({
    exporter: this.exporter,
    exportIntervalMillis: 3_600_000,
  });
  private readonly meters = new MeterProvider({ readers: [this.reader] });
  readonly spans: ToldSpan[] = this.ended.values;

  /** `onSpan`: told of each span that has ended. */
  constructor(onSpan: (span: ToldSpan) => void = () => {}) {
    const processor: SpanProcessor = {
      onStart: () => {},
      onEnd: (span) => {
        const toldSpan = told(span);
        this.ended.add(toldSpan);
        onSpan(toldSpan);
      },
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
    );
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
    metrics.setGlobalMeterProvider(this.meters);
  }

  /** Resolves with the spans of that name once `count` have ended. */
  named(name: string, count = 1): Promise<ToldSpan[]> {
    return spansNamed(this.ended, name, count);
  }

  /** Runs `work` within a span of the application's own, and resolves with its result and the span's id. */
  async within<Result>(name: string, work: () => Promise<Result>): Promise<{ result: Result; id: string }> {
    return trace.getTracer('application').startActiveSpan(name, async (span) => {
      try {
        return { result: await work(), id: span.spanContext().spanId };
      } finally {
        span.end();
      }
    });
  }

  /** What was measured since the process began, by the name of the instrument. */
  async measured(): Promise<Map<string, MetricData>> {
    await this.reader.forceFlush();
    const latest = this.exporter.getMetrics().at(-1);
    const all = latest?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    return new Map(all.map((metric) => [metric.descriptor.name, metric]));
  }

  async close(): Promise<void> {
    await this.meters.shutdown();
    for (const api of [context, propagation, trace, metrics]) api.disable();
  }
}

/** Resolves with the spans of that name once there are `count`; with `traceId`, those of that trace alone. */
export async function spansNamed(
  spans: Collector<ToldSpan>,
  name: string,
  count: number,
  traceId?: string,
): Promise<ToldSpan[]> {
  const those = () =>
    spans.values.filter((span) => span.name === name && (traceId === undefined || span.traceId === traceId));
  await spans.when(() => those().length >= count, `${count} spans "${name}"`, 25_000);
  return those();
}

function told(span: ReadableSpan): ToldSpan {
  return {
    name: span.name,
    kind: SpanKind[span.kind],
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentId: span.parentSpanContext?.spanId ?? null,
    links: span.links.map((link) => link.context.spanId),
    attributes: { ...span.attributes },
    failed: span.status.code === 2,
    message: span.status.message,
    events: span.events.map(({ name, attributes }) => `${name}: ${attributes?.['exception.message']}`),
  };
}
