import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import { durationBuckets } from './conventions.js';

/** What is measured, by the names of the conventions. */
export interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly operations: Histogram;
  readonly processing: Histogram;
}

/** What one operation adds to the {@link Instruments} at its end. */
export interface Measured {
  readonly kind: 'operations' | 'processing';
  readonly attributes: Attributes;
  /** Messages that it sends. */
  readonly sent?: number;
}

/** Makes the instruments of `meter`. */
export function makeInstruments(meter: Meter): Instruments {
  const seconds = { unit: 's', advice: { explicitBucketBoundaries: durationBuckets } };
  return {
    sent: meter.createCounter('messaging.client.sent.messages', {
      unit: '{message}',
      description: 'Messages that a producer attempted to send',
    }),
    consumed: meter.createCounter('messaging.client.consumed.messages', {
      unit: '{message}',
      description: 'Messages that were delivered to the application',
    }),
    operations: meter.createHistogram('messaging.client.operation.duration', {
      ...seconds,
      description: 'Duration of messaging operations',
    }),
    processing: meter.createHistogram('messaging.process.duration', {
      ...seconds,
      description: 'Duration of processing operations',
    }),
  };
}
