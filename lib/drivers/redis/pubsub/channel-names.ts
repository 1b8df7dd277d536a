import { isOwnTopic, isTopic } from '../../../message/topic.js';

/** Stands before the bus's own topics: no topic begins so, and no glob of a pattern covers it. */
const OWN = '~';
/** What a topic begins with, as a glob. */
const FIRST = '[A-Za-z0-9]';

/**
 * How topics and topic patterns are named as Redis channels: `orders` is `disco:orders` for the prefix `disco`, and of the
 * bus's own topics `nest:news` is `disco:~nest:news`, so that the server sends it to no pattern of a caller.
 */
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
    return isOwnTopic(topic) ? this.head + OWN + topic : this.head + topic;
  }

  /**
   * The Redis glob that covers a topic pattern. It may cover more (a glob's `*` crosses dots), so what arrives by it is
   * still to be matched. `orders.*` and `orders.>` share one.
   */
  glob(pattern: string): string {
    const segments = pattern.split('.').map(globSegment).join('.');
    if (isOwnTopic(pattern)) return escaped(this.head) + OWN + segments;
    return escaped(this.head) + (segments.startsWith('*') ? FIRST + segments : segments);
  }

  /** The glob that covers whatever these names may be: what arrives by it is to be matched. */
  get widest(): string {
    return `${escaped(this.head)}*`;
  }

  /** Whether a bare name would be a channel of these names. */
  covers(name: string): boolean {
    return this.head !== '' && name.startsWith(this.head);
  }

  /** The topic of a channel; undefined for channels that carry no topic, as reply inboxes. */
  topic(channel: string): string | undefined {
    if (!channel.startsWith(this.head)) return undefined;
    if (this.foreignHead !== undefined && channel.startsWith(this.foreignHead)) return undefined;
    const name = channel.slice(this.head.length);
    if (name.startsWith(OWN)) return isOwnTopic(name.slice(OWN.length)) ? name.slice(OWN.length) : undefined;
    return isTopic(name) ? name : undefined;
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
