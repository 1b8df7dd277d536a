import type { ReadPacket } from '@nestjs/microservices';
import { REPLY_TO_HEADER, REQUEST_ID_HEADER } from '../bus/requests/request-headers.js';
import type { Headers } from '../message/headers.js';
import type { Message } from '../message/message.js';

/** Says that a payload is what a serializer of the application's own made of a packet, and not the data itself. */
export const PACKET_HEADER = 'x-nest-packet';
/** What the client's dispatch hook attached, as JSON. */
export const METADATA_HEADER = 'x-nest-metadata';

/** The pattern that a client asked for, where the request went to a pattern with wildcards. */
export const PATTERN_HEADER = 'x-nest-pattern';

/** Asks no handler, but where the instance is asked that has one. */
export const WHERE_HEADER = 'x-nest-where';

const LONGEST_METADATA = 16 * 1024;

/** The headers that go with a packet, over those of the caller. */
export function packetHeaders(
  { metadata }: ReadPacket & { metadata?: Record<string, string> },
  plain: boolean,
  own: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  if (metadata === undefined && plain) return own;
  return {
    ...contextIn(metadata),
    ...own,
    ...(metadata !== undefined && { [METADATA_HEADER]: JSON.stringify(metadata) }),
    ...(!plain && { [PACKET_HEADER]: '1' }),
  };
}

/** Names by which the context of a trace travels. */
const CONTEXT_HEADERS = ['traceparent', 'tracestate', 'baggage'] as const;

/** The context that a hook has attached goes where every receiver looks for one. */
function contextIn(metadata: Record<string, unknown> = {}): Record<string, string> {
  const found = CONTEXT_HEADERS.map((name) => [name, metadata[name]]);
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'string'));
}

/** What a deserializer is to read: what the other side's serializer wrote, or the packet that it did not need. */
export function incomingPacket(payload: unknown, { headers, id }: Message, route: string): unknown {
  if (headers[PACKET_HEADER] !== undefined) return payload;
  const metadata = readMetadata(headers);
  return {
    pattern: route,
    data: payload,
    ...(headers[REPLY_TO_HEADER] !== undefined && { id: headers[REQUEST_ID_HEADER] ?? id }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** The strings that a client attached; undefined for anything else. */
export function readMetadata(headers: Headers): Record<string, string> | undefined {
  const text = headers[METADATA_HEADER];
  if (text === undefined || text.length > LONGEST_METADATA) return undefined;
  try {
    return strings(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function strings(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value).filter(
    ([name, text]) => typeof text === 'string' && name !== '__proto__',
  );
  return Object.fromEntries(entries) as Record<string, string>;
}
