import type { DiscoBusError } from '../../../errors/disco-bus-error.js';

/** Who is told of the messages of a channel. */
export interface ChannelListener {
  /** With `refusal`, the frame is too large to be read, and only its head is there, or nothing where it has none. */
  receive(topic: string, frame: Uint8Array, refusal?: DiscoBusError): void;
}

/** A Redis channel, or a glob over channels. */
export interface ChannelName {
  readonly name: string;
  readonly glob: boolean;
}

/** A channel together with the topic or topic pattern that it stands for. */
export interface TopicChannel extends ChannelName {
  readonly topic: string;
  /** The topic of a channel that a glob covers; undefined for those that carry none. */
  topicOf?(channel: string): string | undefined;
}

/** One channel that is listened to. It is live when the connection of its `epoch` is the present one. */
export class ChannelEntry implements TopicChannel {
  /** Replaced, never changed, so that a message in hand goes to those who listened when it came. */
  listeners: readonly ChannelListener[];
  /** Those of them that are told only what the server sends until it has confirmed that they left. */
  readonly leaving: Set<ChannelListener>;
  /** The server is asked to end the channel; who comes now needs an entry of its own. */
  ended = false;
  epoch = 0;
  subscribing: Promise<unknown> | undefined;

  readonly name: string;
  readonly glob: boolean;
  readonly topic: string;
  readonly topicOf: TopicChannel['topicOf'];

  /** Takes the place of `before`, whose listeners are still told what comes. */
  constructor({ name, glob, topic, topicOf }: TopicChannel, before: ChannelEntry | undefined) {
    this.listeners = before?.listeners ?? [];
    this.leaving = new Set(before?.leaving);
    this.name = name;
    this.glob = glob;
    this.topic = topic;
    this.topicOf = topicOf;
  }
}
