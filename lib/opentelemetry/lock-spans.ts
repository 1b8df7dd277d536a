import { type Attributes, context, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { Trace, TracedAcquire, TracedHold } from '../tracing/tracing.js';
import { attribute } from './conventions.js';
import { SpanTrace, type SpanTraceSettings } from './span-trace.js';

/** The spans of locks: waiting for one, and what is done under it. */
export class LockSpans {
  constructor(
    private readonly tracer: Tracer,
    private readonly attributes: Attributes,
    private readonly settings: SpanTraceSettings,
    private readonly wanted: boolean,
  ) {}

  begin({ type, keys }: TracedAcquire | TracedHold): Trace {
    if (!this.wanted) return untraced;
    const active = context.active();
    const attributes = { ...this.attributes, [attribute.lockKeys]: [...keys] };
    const name = type === 'acquire-lock' ? 'acquire lock' : 'hold lock';
    const span = this.tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes }, active);
    const unsuccessful = [attribute.lockAcquired, false] as const;
    return new SpanTrace({ span, context: trace.setSpan(active, span), unsuccessful }, this.settings);
  }
}

const untraced: Trace = {
  headers: () => undefined,
  run: (work) => work(),
  end: () => {},
};
