export { DiscoBusClient } from './disco-bus.client.js';
export { DiscoBusContext, type DiscoBusContextArgs } from './disco-bus.context.js';
export { DISCO_BUS, DiscoBusServer } from './disco-bus.server.js';
export {
  type DefinedEventExtras,
  DiscoEventPattern,
  DiscoMessagePattern,
  type PatternMethodDecorator,
  type PatternReplies,
} from './disco-patterns.decorator.js';
export { DiscoRecord, DiscoRecordBuilder, type DiscoRecordOptions } from './disco-record.js';
export type { StatusEvents, TransportStatus } from './status-relay.js';
export type {
  BusHolder,
  DiscoBusClientOptions,
  DiscoBusServerOptions,
  DiscoEventExtras,
  DiscoTransportOptions,
} from './transport-options.js';
export type { PatternData, TypedClient } from './typed-client.js';
