import { type Attributes, type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api';
import { VERSION } from '../driver/package-version.js';
import { assertOptions } from '../errors/assert-options.js';
import { aBoolean, aDuration, anObject, having, type OptionKinds } from '../errors/option-kinds.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import type { Tracing } from '../tracing/tracing.js';
import { type Instruments, makeInstruments } from './instruments.js';
import { LockSpans } from './lock-spans.js';
import { MessageSpans } from './message-spans.js';

/** How a bus is traced and measured. */
export interface OpenTelemetryOptions {
  /** @default the one that the application has registered, also when that comes later */
  tracerProvider?: TracerProvider;
  /** @default the one that is registered when something is first measured */
  meterProvider?: MeterProvider;
  /** Whether the conventions' metrics are measured. @default true */
  metrics?: boolean;
  /**
   * Whether each message of `publishBatch` gets a span `create` of its own, which its handlers go on from; otherwise all go on
   * from the span of the publish. @default true
   */
  createSpans?: boolean;
  /** A handler's span is a child of its message's only where that was published no longer ago than this, else linked alone. @default '1h' */
  parentWithin?: Duration;
  /**
   * Whether errors are recorded with their messages and stacks, and messages of errors in the status of spans; `error.type` is told
   * in any case. @default true
   */
  exceptions?: boolean;
  /** Whether locks have spans. @default true */
  locks?: boolean;
  /** Attributes of every span and measurement, as `server.address`. @default none */
  attributes?: Attributes;
}

const kinds: OptionKinds<OpenTelemetryOptions> = {
  tracerProvider: having('a provider of tracers', 'getTracer'),
  meterProvider: having('a provider of meters', 'getMeter'),
  metrics: aBoolean,
  createSpans: aBoolean,
  parentWithin: aDuration,
  exceptions: aBoolean,
  locks: aBoolean,
  attributes: anObject,
};

const SCOPE = 'nestjs-disco-bus';

/**
 * Spans and metrics of a bus by OpenTelemetry's conventions for messaging, to be given to it as `tracing`. The context of a message
 * travels in its headers, as the propagator that the application has registered writes it. Payloads are never told. One may
 * serve several buses. Throws ConfigurationError.
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Tracing {
  assertOptions('openTelemetry', options, kinds);
  const { tracerProvider = trace, createSpans = true, exceptions = true, attributes = {} } = options;
  const { metrics: measures = true, locks = true, parentWithin = '1h' } = options;
  const tracer = tracerProvider.getTracer(SCOPE, VERSION);
  let made: Instruments | undefined;
  // Unlike tracers, meters of a provider that is registered later measure nothing.
  const instruments = () => {
    if (!measures) return undefined;
    made ??= makeInstruments((options.meterProvider ?? metrics).getMeter(SCOPE, VERSION));
    return made;
  };
  const settings = { exceptions, instruments };
  const parentWithinMs = toMilliseconds(parentWithin, 'parentWithin');
  const messages = new MessageSpans({ tracer, createSpans, parentWithinMs, attributes, settings });
  const lockSpans = new LockSpans(tracer, attributes, settings, locks);
  return {
    begin: (operation) =>
      operation.type === 'acquire-lock' || operation.type === 'hold-lock'
        ? lockSpans.begin(operation)
        : messages.begin(operation),
  };
}
