import { randomBytes } from 'node:crypto';
import { NotConnectedError } from '../../../errors/bus.errors.js';
import type { ChannelListener, TopicChannel } from './channel-entry.js';
import type { ChannelNames } from './channel-names.js';
import type { PubSubPublisher } from './pubsub-publisher.js';
import type { SubscriberConnection } from './subscriber-connection.js';

/** Probes in a row that may go missing before the connections are replaced. */
const MISSES_ALLOWED = 2;

/**
 * Watches the way from the publisher's node of a Cluster over the cluster bus to each subscriber's node. Both nodes may
 * answer PING and yet be cut off from each other; then a message of our own, sent every interval, does not arrive.
 */
export class ClusterProbe {
  private readonly watched: Watched[];
  private readonly channel: TopicChannel;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly publisher: PubSubPublisher,
    subscribers: readonly SubscriberConnection[],
    names: ChannelNames,
    private readonly intervalMs: number,
  ) {
    const topic = `disco:probe:${randomBytes(16).toString('hex')}`;
    this.channel = { name: names.channel(topic), glob: false, topic };
    this.watched = subscribers.map((connection) => new Watched(connection));
  }

  /** Resolves when the probe channel is subscribed on every connection. */
  async start(): Promise<void> {
    await Promise.all(this.watched.map((watched) => watched.connection.listen(this.channel, watched)));
    this.timer = setInterval(() => this.round(), this.intervalMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private round(): void {
    const { client } = this.publisher.link;
    if (client === undefined) return;
    const cutOff = this.watched.filter((watched) => watched.missed() >= MISSES_ALLOWED);
    if (cutOff.length > 0) this.replace(cutOff);
    else client.publish(this.channel.name, '').catch(() => undefined);
  }

  /** Which of the two nodes is cut off cannot be told from here, so both connections move to another one. */
  private replace(cutOff: readonly Watched[]): void {
    const error = new NotConnectedError('Messages do not come through the Redis Cluster');
    this.publisher.link.reset(error);
    for (const { connection } of cutOff) connection.link.reset(error);
  }
}

class Watched implements ChannelListener {
  private seen = true;
  private misses = 0;
  private epoch = 0;

  constructor(readonly connection: SubscriberConnection) {}

  receive(): void {
    this.seen = true;
  }

  /** How many probes in a row did not come; a connection that is down or new is not judged. */
  missed(): number {
    const { client, epoch } = this.connection.link;
    const judged = client !== undefined && epoch === this.epoch;
    this.misses = judged && !this.seen ? this.misses + 1 : 0;
    this.epoch = epoch;
    this.seen = false;
    return this.misses;
  }
}
