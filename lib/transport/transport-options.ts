import type { Deserializer, Serializer } from '@nestjs/microservices';
import type { DiscoBus } from '../bus/disco-bus.js';
import type { DiscoBusOptions, SubscribeOptions } from '../bus/options/bus-options.js';
import type { TopicOptions } from '../contract/topic-options.js';
import type { DeliveryGuarantee } from '../driver/capabilities.js';
import type { DiscoDriver } from '../driver/driver.js';
import type { RedisAddress } from '../drivers/redis/redis-address.js';
import type { Duration } from '../timing/duration.js';

/** A bus, or what holds one, as `DiscoBusService` does. */
export type BusHolder = DiscoBus | { readonly bus: DiscoBus };

/** What server and client have in common. Without `bus`, `driver` and `url` they go where `DISCO_BUS_URL` says. */
export interface DiscoTransportOptions extends Partial<Omit<DiscoBusOptions, 'driver'>>, RedisAddress {
  /**
   * A bus to share: its connections are used, and closed by whoever made it. Excludes `driver`, `url` and every option of
   * a bus.
   */
  bus?: BusHolder;
  /** A driver of its own. Closed with the server or client, for good. */
  driver?: DiscoDriver;
  /**
   * `redis://…`, `rediss://…`, or `memory:` and `memory:name` for an engine shared within the process.
   * @default the environment's DISCO_BUS_URL, else redis://127.0.0.1:6379
   */
  url?: string;
  /**
   * What is promised of events. The `topics` table of the bus goes before it.
   * @default 'at-least-once'; where the driver cannot, 'at-most-once', with a line in the log
   */
  events?: DeliveryGuarantee;
  /**
   * Who answers a request. `'one'`: one of all instances, the one that is least busy with this client. `'every'`: all of
   * them, and their replies are merged until the first of them ends, as with `Transport.REDIS`. A client sends as it says;
   * a server that says `'one'` answers both, one that says `'every'` only requests to all.
   * @default 'one'
   */
  requests?: 'one' | 'every';
  /** Writes packets; what it makes is the payload, a Buffer being sent as it is. @default the data alone is sent */
  serializer?: Serializer;
  /** Reads packets: what the other side's serializer made, or else the packet as an object. */
  deserializer?: Deserializer;
}

/** What one handler of events may say for itself, as extras: `@EventPattern('orders', { group: 'billing' })`. */
export type DiscoEventExtras = TopicOptions & Pick<SubscribeOptions, 'shared' | 'name'>;

/** Options of {@link DiscoBusServer}. */
export interface DiscoBusServerOptions extends DiscoTransportOptions {
  /** How events are handled, where a handler's extras and the `topics` table say nothing. */
  eventOptions?: Omit<TopicOptions, 'delivery'>;
  /** Requests handled at the same time, for each pattern. @default 256 */
  concurrency?: number;
}

/** Options of {@link DiscoBusClient}. */
export interface DiscoBusClientOptions extends DiscoTransportOptions {
  /** How long a request waits for its reply, and for each further one of a stream. @default '30s' */
  timeout?: Duration;
}
