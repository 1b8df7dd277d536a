import type { Redis } from 'ioredis';
import { type DiscoBusError, isDiscoBusError } from '../../../errors/disco-bus-error.js';
import { DriverError } from '../../../errors/driver.errors.js';
import { MessageTooLargeError } from '../../../errors/message.errors.js';
import { headOf } from '../../../message/frame.js';
import { RedisCommands } from '../redis-client.js';
import type { RedisConnections } from '../redis-connections.js';
import { isLastingRefusal, toDriverError } from '../redis-error.js';
import type { RedisLink } from '../redis-link.js';
import { ChannelEntry, type ChannelListener, type ChannelName, type TopicChannel } from './channel-entry.js';

/** What a {@link SubscriberConnection} needs to know, and whom it tells. */
export interface SubscriberSetup {
  readonly commandTimeoutMs: number;
  readonly maxFrameBytes: number;
  /** Messages of these topics may have been missed between the two moments. Once for each outage. */
  gap(topics: readonly string[], from: number, to: number): void;
  error(error: DiscoBusError): void;
}

/** What is told of a frame that is too large and has no head. */
const nothing = Buffer.alloc(0);

/** Redis takes many channels in one command; an answer comes for each. */
const CHANNELS_PER_COMMAND = 500;

/**
 * One connection in subscriber mode, and the channels that are listened to on it. After each reconnect it subscribes
 * again by itself and counts as up only when Redis confirmed every channel.
 */
export class SubscriberConnection {
  readonly link: RedisLink;
  private readonly channels = new Map<string, ChannelEntry>();
  private readonly globs = new Map<string, ChannelEntry>();
  private readonly commands: RedisCommands;
  private outage: { readonly topics: readonly string[]; readonly from: number } | undefined;

  constructor(
    connections: RedisConnections,
    private readonly setup: SubscriberSetup,
  ) {
    this.commands = new RedisCommands(setup.commandTimeoutMs);
    this.link = connections.link('subscribe', {
      prepare: (client) => this.subscribeAll(client),
      up: () => this.restored(),
      down: () => this.interrupted(),
    });
  }

  /** How many channels are listened to. */
  get load(): number {
    return this.channels.size + this.globs.size;
  }

  /** Whether the channel is listened to already. */
  has({ name, glob }: ChannelName): boolean {
    return this.table(glob).has(name);
  }

  /**
   * Resolves when Redis has confirmed the channel. Rejects, and listens no more, when it refuses, or does not answer
   * within the command timeout: also when there is no connection all that time.
   */
  async listen(channel: TopicChannel, listener: ChannelListener): Promise<void> {
    const table = this.table(channel.glob);
    const present = table.get(channel.name);
    const entry = present && !present.ended ? present : new ChannelEntry(channel, present);
    table.set(channel.name, entry);
    entry.listeners = [...entry.listeners, listener];
    try {
      await this.confirmed(entry);
    } catch (error) {
      await this.leave(entry, listener);
      throw toDriverError(error);
    }
  }

  /**
   * Takes the listener off; the last one of a channel unsubscribes it. What the server sent before it answered is still
   * told; nothing is once this has resolved. Never rejects.
   */
  async leave({ name, glob }: ChannelName, listener: ChannelListener): Promise<void> {
    const entry = this.table(glob).get(name);
    if (entry === undefined) return;
    entry.leaving.add(listener);
    entry.ended = entry.leaving.size === entry.listeners.length;
    const { client } = this.link;
    // Unanswered, the connection is dying; the next one does not subscribe to this channel any more.
    if (client !== undefined) await this.commands.run(farewell(client, entry)).catch(this.notLeft);
    this.remove(this.table(glob), name, listener);
  }

  /** Refused for good, the server goes on sending what nobody wants. */
  private readonly notLeft = (error: unknown): void => {
    const told = toDriverError(error);
    if (isLastingRefusal(told.cause)) this.setup.error(told);
  };

  private remove(table: Map<string, ChannelEntry>, name: string, listener: ChannelListener): void {
    const entry = table.get(name);
    if (entry === undefined) return;
    entry.listeners = entry.listeners.filter((other) => other !== listener);
    entry.leaving.delete(listener);
    if (entry.listeners.length === 0) table.delete(name);
  }

  private table(glob: boolean): Map<string, ChannelEntry> {
    return glob ? this.globs : this.channels;
  }

  private async confirmed(entry: ChannelEntry): Promise<void> {
    const { client, epoch } = this.link;
    if (client === undefined) return this.link.whenUp(this.setup.commandTimeoutMs);
    if (entry.epoch === epoch) return;
    entry.subscribing ??= this.subscribeOne(client, entry, epoch);
    try {
      await entry.subscribing;
    } catch (error) {
      if (!isDiscoBusError(error, 'DISCO_NOT_CONNECTED')) throw error;
      // The connection went while it was asked: the next one subscribes to whatever is listed.
      if (this.link.client === client) this.link.reset(error);
      await this.link.whenUp(this.setup.commandTimeoutMs);
    }
  }

  private async subscribeOne(client: Redis, entry: ChannelEntry, epoch: number): Promise<void> {
    try {
      await this.commands.run(subscribe(client, entry.glob, [entry.name]));
      entry.epoch = epoch;
    } finally {
      entry.subscribing = undefined;
    }
  }

  /** Loops, as channels may be added while it waits for an answer. */
  private async subscribeAll(client: Redis): Promise<void> {
    client.on('messageBuffer', this.onMessage);
    client.on('pmessageBuffer', this.onGlobMessage);
    const epoch = this.link.epoch + 1;
    for (;;) {
      const missing = this.nextMissing(epoch);
      if (missing.length === 0) return;
      const names = missing.map((entry) => entry.name);
      await this.commands.run(subscribe(client, missing[0].glob, names));
      for (const entry of missing) entry.epoch = epoch;
    }
  }

  private nextMissing(epoch: number): ChannelEntry[] {
    for (const table of [this.channels, this.globs]) {
      const missing = Array.from(table.values()).filter((entry) => entry.epoch !== epoch && !entry.ended);
      if (missing.length > 0) return missing.slice(0, CHANNELS_PER_COMMAND);
    }
    return [];
  }

  private interrupted(): void {
    const live = [...this.channels.values(), ...this.globs.values()].filter(
      (entry) => entry.epoch === this.link.epoch && !entry.ended,
    );
    const topics = live.map((entry) => entry.topic);
    if (topics.length > 0) this.outage = { topics, from: this.link.lastAliveMs };
  }

  private restored(): void {
    const { outage } = this;
    this.outage = undefined;
    if (outage !== undefined) this.setup.gap(outage.topics, outage.from, Date.now());
  }

  private readonly onMessage = (channel: Buffer, frame: Buffer): void => {
    const entry = this.channels.get(channel.toString('latin1'));
    if (entry !== undefined) this.handOver(entry, entry.topic, frame);
  };

  private readonly onGlobMessage = (glob: string, channel: Buffer, frame: Buffer): void => {
    const entry = this.globs.get(glob);
    if (entry === undefined) return;
    const topic = entry.topicOf?.(channel.toString('latin1'));
    if (topic !== undefined) this.handOver(entry, topic, frame);
  };

  /** A listener that throws must neither reach ioredis nor keep the message from the others. */
  private handOver(entry: ChannelEntry, topic: string, frame: Buffer): void {
    const refusal = this.refusalOf(frame);
    const told = refusal ? (headOf(frame) ?? nothing) : frame;
    for (const listener of entry.listeners) {
      try {
        listener.receive(topic, told, refusal);
      } catch {
        this.setup.error(new DriverError(`A delivery callback of topic "${entry.topic}" threw`));
      }
    }
  }

  private refusalOf({ length }: Buffer): DiscoBusError | undefined {
    const { maxFrameBytes } = this.setup;
    if (length <= maxFrameBytes) return undefined;
    const refusal = new MessageTooLargeError(length, maxFrameBytes);
    this.setup.error(refusal);
    return refusal;
  }
}

function subscribe(client: Redis, glob: boolean, names: string[]): Promise<unknown> {
  return glob ? client.psubscribe(...names) : client.subscribe(...names);
}

/** Answered behind all that the server has sent on the channel: its end, or, where others still listen, a mere answer. */
function farewell(client: Redis, { name, glob, ended }: ChannelEntry): Promise<unknown> {
  if (!ended) return client.ping();
  return glob ? client.punsubscribe(name) : client.unsubscribe(name);
}
