import type { Cluster, Redis } from 'ioredis';
import type {
  InspectionOptions,
  InspectionProvider,
  TopicInspection,
  TopicRange,
} from '../../../../driver/inspection.js';
import { isTopic } from '../../../../message/topic.js';
import { atOnce } from '../../../../timing/at-once.js';
import type { FeatureRights } from '../feature-rights.js';
import { inspectScript } from '../scripts/inspect-script.js';
import { persistFor, type StreamConnection } from '../stream-connection.js';
import type { StreamKeys } from '../stream-keys.js';
import { assertTopic } from '../stream-names.js';
import { StreamScript } from '../stream-script.js';
import { topicInspection } from './topic-report.js';

const inspectOne = new StreamScript(inspectScript);

/** How long a question may take, with all waiting for a connection. */
const PATIENCE_MS = 5_000;
/** Names that are fetched in one call. */
const LISTED_AT_ONCE = 1_000;
/** Topics that are asked for at a time: other commands of the connection find their way between them. */
const ASKED_AT_ONCE = 50;

/** Reads what Redis keeps of topics and groups. Changes nothing. */
export class StreamInspector implements InspectionProvider {
  constructor(
    private readonly connection: StreamConnection,
    private readonly keys: StreamKeys,
    private readonly rights: FeatureRights,
  ) {}

  /** @see InspectionProvider.listTopics */
  listTopics({ after, limit }: TopicRange): Promise<string[]> {
    return this.present(after, limit, async (topic) => ((await this.exists(topic)) ? topic : undefined));
  }

  /** @see InspectionProvider.inspectTopic */
  async inspectTopic(
    topic: string,
    { bytes = false }: InspectionOptions = {},
  ): Promise<TopicInspection | undefined> {
    assertTopic(topic);
    const { stream, later, counts } = this.keys.topic(topic);
    const keys = [stream, later, counts];
    const reply = await this.ask(topic, (client) => inspectOne.run(client, keys, [bytes ? 1 : 0]));
    return reply === null ? undefined : topicInspection(topic, String(reply));
  }

  /** @see InspectionProvider.inspectTopics */
  inspectTopics({ after, limit }: TopicRange): Promise<TopicInspection[]> {
    return this.present(after, limit, (topic) => this.inspectTopic(topic));
  }

  /** What `look` finds of the first `limit` topics that are there: the directory also names some that are gone. */
  private async present<Found>(
    after: string | undefined,
    limit: number,
    look: (topic: string) => Promise<Found | undefined>,
  ): Promise<Found[]> {
    const names = await this.listed(after);
    const found: Found[] = [];
    for (let at = 0; at < names.length && found.length < limit; ) {
      const some = names.slice(at, at + limit - found.length);
      at += some.length;
      const looked = await atOnce(some, ASKED_AT_ONCE, look);
      for (const each of looked) if (each !== undefined) found.push(each);
    }
    return found;
  }

  /** The names that the directory holds behind `after`, sorted. What others wrote there and is no topic is passed over. */
  private async listed(after = ''): Promise<string[]> {
    const found = new Set<string>();
    let cursor = '0';
    do {
      const from = cursor;
      const { topics } = this.keys;
      const scan = (client: Redis | Cluster) => client.zscan(topics, from, 'COUNT', LISTED_AT_ONCE);
      const [next, page] = await persistFor(
        this.connection,
        this.rights.before('inspection', [topics], scan),
        PATIENCE_MS,
      );
      for (let index = 0; index < page.length; index += 2) {
        if (page[index] > after && isTopic(page[index])) found.add(page[index]);
      }
      cursor = next;
    } while (cursor !== '0');
    return [...found].sort();
  }

  private async exists(topic: string): Promise<boolean> {
    const { stream, later } = this.keys.topic(topic);
    return Number(await this.ask(topic, (client) => client.exists(stream, later))) > 0;
  }

  private ask<Reply>(topic: string, command: (client: Redis | Cluster) => Promise<Reply>): Promise<Reply> {
    const { stream, later, counts } = this.keys.topic(topic);
    const keys = [stream, later, counts];
    return persistFor(this.connection, this.rights.before('inspection', keys, command), PATIENCE_MS);
  }
}
