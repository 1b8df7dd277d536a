import { type Context, context, type Span, SpanStatusCode } from '@opentelemetry/api';
import type { Trace, TraceOutcome } from '../tracing/tracing.js';
import { attribute } from './conventions.js';
import { errorType, exceptionOf } from './error-type.js';
import type { Instruments, Measured } from './instruments.js';

/** Headers that carry a context. */
export type Carrier = Record<string, string>;

/** What a {@link SpanTrace} works with. */
export interface SpanTraceParts {
  readonly span: Span;
  /** In which what the operation starts runs. */
  readonly context: Context;
  /** For each message its own, or one for all. */
  readonly carriers?: readonly Carrier[];
  readonly measured?: Measured;
  /** The attribute that tells of an operation without success that has not failed either. */
  readonly unsuccessful?: readonly [name: string, value: boolean];
}

/** How spans end. */
export interface SpanTraceSettings {
  /** Whether errors are recorded with their messages and stacks. */
  readonly exceptions: boolean;
  /** Undefined where nothing is measured. */
  readonly instruments: () => Instruments | undefined;
}

/** An operation as a span, from its beginning to its end. */
export class SpanTrace implements Trace {
  private readonly startedMs = performance.now();

  constructor(
    private readonly parts: SpanTraceParts,
    private readonly settings: SpanTraceSettings,
  ) {}

  headers(index = 0): Carrier | undefined {
    const { carriers } = this.parts;
    return carriers?.length === 1 ? carriers[0] : carriers?.[index];
  }

  run<Result>(work: () => Result): Result {
    return context.with(this.parts.context, work);
  }

  end({ error, id, unsuccessful }: TraceOutcome = {}): void {
    const { span, unsuccessful: told } = this.parts;
    if (id !== undefined) span.setAttribute(attribute.messageId, id);
    if (unsuccessful && told) span.setAttribute(...told);
    if (error !== undefined) this.fail(error);
    span.end();
    this.measure(error);
  }

  private fail(error: unknown): void {
    const { span } = this.parts;
    const exception = this.settings.exceptions ? exceptionOf(error) : undefined;
    span.setAttribute(attribute.errorType, errorType(error));
    span.setStatus({ code: SpanStatusCode.ERROR, message: exception?.message });
    if (exception) span.recordException(exception);
  }

  private measure(error: unknown): void {
    const { measured, context: within } = this.parts;
    const instruments = measured && this.settings.instruments();
    if (!measured || !instruments) return;
    const seconds = (performance.now() - this.startedMs) / 1000;
    const failure = error === undefined ? undefined : { [attribute.errorType]: errorType(error) };
    const attributes = { ...measured.attributes, ...failure };
    instruments[measured.kind].record(seconds, attributes, within);
    if (measured.sent !== undefined) instruments.sent.add(measured.sent, attributes, within);
  }
}
