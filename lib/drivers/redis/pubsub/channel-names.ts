import { isTopic } from '../../../message/topic.js';

/** How topics and topic patterns are named as Redis channels: `orders` is `disco:orders` for the prefix `disco`. */
export class ChannelNames {
  private readonly head: string;

  constructor(prefix: string) {
    this.head = prefix === '' ? '' : `${prefix}:`;
  }

  /** The channel of a topic. */
  channel(topic: string): string {
    return this.head + topic;
  }

  /**
   * The Redis glob that covers a topic pattern. It may cover more (a glob's `*` crosses dots), so what arrives by it is
   * still to be matched. `orders.*` and `orders.>` share one.
   */
  glob(pattern: string): string {
    return escaped(this.head) + pattern.split('.').map(globSegment).join('.');
  }

  /** The topic of a channel; undefined for channels that carry no topic, as reply inboxes. */
  topic(channel: string): string | undefined {
    if (!channel.startsWith(this.head)) return undefined;
    const topic = channel.slice(this.head.length);
    return isTopic(topic) ? topic : undefined;
  }
}

function globSegment(segment: string): string {
  return segment === '*' || segment === '>' ? '*' : escaped(segment);
}

function escaped(literal: string): string {
  return literal.replace(/[\\*?[\]]/g, '\\$&');
}
