import { isTopic } from '../../../message/topic.js';
import { atOnce } from '../../../timing/at-once.js';
import type { FeatureRights } from '../streams/feature-rights.js';
import { letters } from '../streams/patterns/topic-directory.js';
import {
  persistFor,
  type StreamClient,
  type StreamConnection,
  serverTimeMs,
} from '../streams/stream-connection.js';
import type { StreamKeys } from '../streams/stream-keys.js';

/** A topic that services use at most once now: nothing is stored of it. */
export interface ChannelUse {
  readonly topic: string;
  /** By the topic's bare name, on the wire `go`. */
  readonly bare: boolean;
  /** Who uses it, as `service "billing" (1a2b3c4d)`: those that told so last, where they are many. */
  readonly usedBy: readonly string[];
  /** When this was so, on the server's clock. */
  readonly at: number;
}

const PATIENCE_MS = 5_000;
/** Names fetched in one call. */
const LISTED_AT_ONCE = 1_000;
/** Topics that are asked for at a time. */
const ASKED_AT_ONCE = 32;
/** Users of a topic that are named. */
const NAMED = 10;

/** Finds out who uses topics at most once. Changes nothing. */
export class ChannelUses {
  constructor(
    private readonly connection: StreamConnection,
    private readonly keys: StreamKeys,
    private readonly rights: FeatureRights,
  ) {}

  /** Those whose names `matches` says true to, by name. Services that could not note their use are not known. */
  async list(matches: (topic: string) => boolean): Promise<ChannelUse[]> {
    const names = (await this.names()).filter((name) => isTopic(name) && matches(name)).sort();
    if (names.length === 0) return [];
    const at = Math.floor(await this.ask(serverTimeMs));
    return (await atOnce(names, ASKED_AT_ONCE, (topic) => this.useOf(topic, at))).flat();
  }

  private async names(): Promise<string[]> {
    const { channelTopics } = this.keys;
    const names = new Set<string>();
    let cursor = '0';
    do {
      const from = cursor;
      const scan = (client: StreamClient) => client.zscan(channelTopics, from, 'COUNT', LISTED_AT_ONCE);
      const [next, page] = await this.ask(scan);
      for (let index = 0; index < page.length; index += 2) names.add(page[index]);
      cursor = next;
    } while (cursor !== '0');
    return [...names];
  }

  /** None where nobody uses it any more: the list is struck off later. */
  private async useOf(topic: string, at: number): Promise<ChannelUse[]> {
    const uses = this.keys.uses(topic);
    const flat = await this.ask((client) => client.zrange(uses, String(-NAMED), '-1', 'WITHSCORES'));
    const live = flat.filter((_, index) => index % 2 === 0 && Number(flat[index + 1]) >= at);
    if (live.length === 0 || live[0][0] === letters.least) return [];
    return [{ topic, bare: live[0][0] === letters.bare, usedBy: live.map((use) => use.slice(2)).sort(), at }];
  }

  private ask<Reply>(command: (client: StreamClient) => Promise<Reply>): Promise<Reply> {
    const asked = this.rights.before('inspection', [this.keys.channelTopics], command);
    return persistFor(this.connection, asked, PATIENCE_MS);
  }
}
