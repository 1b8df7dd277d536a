import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import { ClosedError } from '../../../../errors/bus.errors.js';
import { RightsCheck } from '../../rights/rights-check.js';
import { featureCommands } from '../feature-rights.js';
import { GroupMember } from '../group/group-member.js';
import { persistFor } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import { StreamReader } from './stream-reader.js';
import type { Places } from './subscriptions.js';
import { TrialTurns } from './suspects.js';
import { TopicConsumer } from './topic-consumer.js';

/** How long a consumer that nobody needs any more may take to leave its group. */
const LEAVE_MS = 2_000;

interface Registered {
  readonly consumer: TopicConsumer;
  readonly readerName: string;
  readonly ready: Promise<void>;
  /** Subscriptions that are being made. */
  coming: number;
}

/** The consumers of a driver, each there while it is needed, and the readers that they share. */
export class ConsumerRegistry {
  private readonly registered = new Map<string, Registered>();
  private readonly leaving = new Map<string, Promise<void>>();
  private readonly readers = new Map<string, StreamReader>();
  private readonly rights = new RightsCheck('subscribing at least once', featureCommands.consume);
  private readonly turns = new TrialTurns(() =>
    Array.from(this.registered.values(), ({ consumer }) => consumer.mark),
  );
  private closed = false;

  constructor(private readonly context: StreamContext) {}

  /** A subscription to one topic, with places of its own unless it is to share some. */
  async subscribe(
    topic: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
    places?: Places,
  ): Promise<DriverSubscription> {
    const name = `${topic} ${options.group}`;
    while (this.leaving.has(name)) await this.leaving.get(name);
    this.assertOpen();
    const entry = this.registered.get(name) ?? this.register(name, topic, options);
    entry.coming++;
    try {
      await entry.ready;
      this.assertOpen();
      const { consumer, readerName } = entry;
      // The last subscription may have closed, and only its deliveries kept the consumer.
      if (consumer.reader === undefined) this.reader(readerName, consumer.member.group).add(consumer);
      return consumer.subscribe(options, onDelivery, places);
    } finally {
      entry.coming--;
      this.dropUnused(name, entry);
    }
  }

  /** Resolves when a consumer of ours that is leaving the group has left it. */
  async left(topic: string, group: string): Promise<void> {
    await this.leaving.get(`${topic} ${group}`);
  }

  /** Ends reading, then gives back to the groups what is not settled; takes about `graceMs` at most. */
  async close(graceMs: number): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.all(Array.from(this.readers.values(), (reader) => reader.close()));
    const closing = Array.from(this.registered.values(), ({ consumer }) => consumer.close(graceMs));
    await Promise.all([...closing, ...this.leaving.values()]);
    this.registered.clear();
  }

  private register(name: string, topic: string, { group, startFrom }: DriverSubscribeOptions): Registered {
    const consumer = new TopicConsumer(new GroupMember(this.context, topic, group), this.turns, () => {
      const present = this.registered.get(name);
      if (present !== undefined) this.dropUnused(name, present);
    });
    const readerName = this.context.clustered ? name : group;
    const entry = { consumer, readerName, ready: this.begin(consumer, startFrom), coming: 0 };
    this.registered.set(name, entry);
    return entry;
  }

  private async begin(consumer: TopicConsumer, startFrom: 'beginning' | 'new'): Promise<void> {
    const { admin, driver, keys, name } = this.context;
    const { group, keys: names } = consumer.member;
    const { stream, dedup: _, ...others } = names;
    const wake = keys.wake(name, group);
    const used = [stream, ...Object.values(others), `${stream}:read`, keys.topics, wake];
    if (!this.rights.passed)
      await persistFor(admin, (client) => this.rights.assert(client, used), driver.connectTimeoutMs);
    await consumer.upkeep.start(startFrom, driver.connectTimeoutMs);
  }

  private reader(name: string, group: string): StreamReader {
    let reader = this.readers.get(name);
    if (reader === undefined) {
      reader = new StreamReader(this.context, group);
      this.readers.set(name, reader);
    }
    return reader;
  }

  private dropUnused(name: string, entry: Registered): void {
    if (entry.coming > 0 || !entry.consumer.isUnused || this.closed) return;
    if (this.registered.get(name) !== entry) return;
    this.registered.delete(name);
    const leaving = this.end(entry).finally(() => this.leaving.delete(name));
    this.leaving.set(name, leaving);
  }

  private async end({ consumer, readerName }: Registered): Promise<void> {
    const reader = this.readers.get(readerName);
    await reader?.remove(consumer);
    if (reader?.isEmpty && this.readers.get(readerName) === reader) {
      this.readers.delete(readerName);
      await reader.close();
    }
    await consumer.close(LEAVE_MS);
  }

  private assertOpen(): void {
    if (this.closed) throw new ClosedError('The Redis driver is closed');
  }
}
