import type { TopicLabels } from '../../metrics/topic-labels.js';
import type { Tracing } from '../../tracing/tracing.js';
import type { PublishOptions, PublishReceipt } from '../options/bus-options.js';
import { callerHeaders } from '../options/caller-headers.js';
import type { Publisher } from './publisher.js';

/** Where the publishes of a bus's callers go. */
export type Publishing = Pick<Publisher, 'publish' | 'publishBatch'>;

/** A publisher whose publishes are traced. Stands in front of it, so that nothing is asked where nobody traces. */
export class TracedPublisher implements Publishing {
  constructor(
    private readonly publisher: Publisher,
    private readonly tracing: Tracing,
    private readonly labels: TopicLabels,
  ) {}

  async publish(topic: string, payload: unknown, options: PublishOptions = {}): Promise<PublishReceipt> {
    const { publisher, tracing, labels } = this;
    const headers = callerHeaders(options.headers);
    const trace = tracing.begin({ type: 'publish', topic, label: labels.known(topic), headers });
    try {
      const own = publisher.carriesHeaders(topic, options.delivery) ? trace.headers() : undefined;
      const traced = own ? { ...options, headers: { ...options.headers, ...own } } : options;
      const receipt = await publisher.publish(topic, payload, traced);
      trace.end({ id: receipt.id });
      return receipt;
    } catch (error) {
      trace.end({ error });
      throw error;
    }
  }

  async publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions = {},
  ): Promise<PublishReceipt[]> {
    const { publisher, tracing, labels } = this;
    const trace = tracing.begin({
      type: 'publish-batch',
      topic,
      label: labels.known(topic),
      headers: callerHeaders(options.headers),
      messages: payloads.length,
      carriesHeaders: publisher.carriesHeaders(topic, options.delivery),
    });
    try {
      const receipts = await publisher.publishBatch(topic, payloads, options, (index) =>
        trace.headers(index),
      );
      trace.end();
      return receipts;
    } catch (error) {
      trace.end({ error });
      throw error;
    }
  }
}
