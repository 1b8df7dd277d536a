import { isTopic } from '../../../message/topic.js';

/** How topics and topic patterns are named as Redis channels: `orders` is `disco:orders` for the prefix `disco`. */
export class ChannelNames {
  private readonly head: string;
  private readonly foreignHead: string | undefined;

  /** Channels below the prefix `except` carry no topic of these names. */
  constructor(prefix: string, except = '') {
    this.head = headOf(prefix);
    this.foreignHead = except === '' ? undefined : headOf(except);
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

  /** Whether a bare name would be a channel of these names. */
  covers(name: string): boolean {
    return this.head !== '' && name.startsWith(this.head);
  }

  /** The topic of a channel; undefined for channels that carry no topic, as reply inboxes. */
  topic(channel: string): string | undefined {
    if (!channel.startsWith(this.head)) return undefined;
    if (this.foreignHead !== undefined && channel.startsWith(this.foreignHead)) return undefined;
    const topic = channel.slice(this.head.length);
    return isTopic(topic) ? topic : undefined;
  }
}

function headOf(prefix: string): string {
  return prefix === '' ? '' : `${prefix}:`;
}

function globSegment(segment: string): string {
  return segment === '*' || segment === '>' ? '*' : escaped(segment);
}

function escaped(literal: string): string {
  return literal.replace(/[\\*?[\]]/g, '\\$&');
}
