import {
  type Context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import type { Headers } from '../message/headers.js';
import type { Carrier } from './span-trace.js';

/** Names of headers are lower-case, whatever a propagator calls them. */
const getter: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => headers[name.toLowerCase()],
};

/** The context that a message carries, in nobody's. */
export function contextIn(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers, getter);
}

/** Links to the spans in which messages were made, each once. */
export function linksTo(contexts: readonly Context[]): Link[] {
  const links = new Map<string, Link>();
  for (const each of contexts) {
    const spanContext = trace.getSpanContext(each);
    if (spanContext) links.set(spanContext.traceId + spanContext.spanId, { context: spanContext });
  }
  return [...links.values()];
}

/** Whether headers of a caller hold a context already: it is not replaced. */
export function carriesContext(headers: Headers): boolean {
  return propagation.fields().some((name) => name !== 'baggage' && headers[name.toLowerCase()] !== undefined);
}

/** The headers that carry `context`, save those that the caller gave himself. */
export function carrierOf(context: Context, given: Headers): Carrier {
  const carrier: Carrier = {};
  propagation.inject(context, carrier, {
    set: (headers, name, value) => {
      const lower = name.toLowerCase();
      if (given[lower] === undefined) headers[lower] = value;
    },
  });
  return carrier;
}
