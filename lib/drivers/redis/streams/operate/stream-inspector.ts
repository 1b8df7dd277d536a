import type { BrowseRange, StoredEntry } from '../../../../driver/browsing.js';
import type {
  GroupInspection,
  InspectionOptions,
  InspectionProvider,
  MemberInspection,
  TopicInspection,
  TopicRange,
} from '../../../../driver/inspection.js';
import { isTopic } from '../../../../message/topic.js';
import { atOnce } from '../../../../timing/at-once.js';
import { saidIn } from '../group/group-member.js';
import { inspectScript } from '../scripts/inspect-script.js';
import type { StreamClient } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import { readEntry } from '../stream-entry.js';
import { assertTopic } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const inspectOne = new StreamScript(inspectScript);

/** Names that are fetched in one call. */
const LISTED_AT_ONCE = 1_000;
/** Topics that are asked for at a time: other commands of the connection find their way between them. */
const ASKED_AT_ONCE = 50;

/** Reads what Redis keeps of topics and groups. Changes nothing. */
export class StreamInspector implements InspectionProvider {
  constructor(private readonly context: StreamContext) {}

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
    const keys = this.keysOf(topic);
    const inspect = (client: StreamClient) => inspectOne.run(client, keys, [bytes ? 1 : 0]);
    const reply = await this.context.ask('inspection', keys, inspect);
    return reply === null ? undefined : topicInspection(topic, String(reply));
  }

  /** @see InspectionProvider.inspectTopics */
  inspectTopics({ after, limit }: TopicRange): Promise<TopicInspection[]> {
    return this.present(after, limit, (topic) => this.inspectTopic(topic));
  }

  /** @see BrowsingProvider.browse */
  async browse(topic: string, { after, limit }: BrowseRange): Promise<StoredEntry[]> {
    assertTopic(topic);
    const { stream } = this.context.keys.topic(topic);
    const from = after === undefined ? '-' : `(${after}`;
    const range = (client: StreamClient) => client.xrangeBuffer(stream, from, '+', 'COUNT', limit);
    const found = await this.context.ask('inspection', [stream], range);
    return found.map(([id, fields]) => ({
      position: String(id),
      frame: readEntry('S', String(id), fields).frame,
    }));
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
      const { topics } = this.context.keys;
      const scan = (client: StreamClient) => client.zscan(topics, from, 'COUNT', LISTED_AT_ONCE);
      const [next, page] = await this.context.ask('inspection', [topics], scan);
      for (let index = 0; index < page.length; index += 2) {
        if (page[index] > after && isTopic(page[index])) found.add(page[index]);
      }
      cursor = next;
    } while (cursor !== '0');
    return [...found].sort();
  }

  private async exists(topic: string): Promise<boolean> {
    const keys = this.keysOf(topic);
    const [stream, later] = keys;
    return (await this.context.ask('inspection', keys, (client) => client.exists(stream, later))) > 0;
  }

  private keysOf(topic: string): string[] {
    const { stream, later, counts } = this.context.keys.topic(topic);
    return [stream, later, counts];
  }
}

/** The answer of the script: a TopicInspection without the topic's name, and with its groups as below. Empty lists are objects. */
interface TopicAnswer extends Omit<TopicInspection, 'topic' | 'delivery' | 'groups'> {
  readonly groups: readonly GroupAnswer[] | object;
}

interface GroupAnswer
  extends Omit<GroupInspection, 'held' | 'running' | 'deadLetters' | 'position' | 'handled' | 'members'> {
  readonly letters: {
    readonly entries: number;
    readonly messages: number;
    readonly reasons: readonly [reason: string, count: number][] | object;
  };
  readonly position: string;
  readonly members: readonly MemberAnswer[] | object;
}

interface MemberAnswer {
  readonly id: string;
  readonly aliveUntil?: number;
  readonly held: number;
  /** JSON of its own. */
  readonly info?: string;
}

/** `<service>@<host>:<random>`, as members are named. */
const memberName = /^(.+)@([^@]+):[0-9a-f]+$/;

/** What JSON leaves out is there all the same, as undefined. */
const unknownOfTopic = { bytes: undefined, oldestAt: undefined, nextDueAt: undefined };
const unknownOfGroup = { oldestUnhandledAt: undefined, nextRetryAt: undefined, lastReadAt: undefined };

/** What a topic holds, from the answer of the script. */
function topicInspection(topic: string, reply: string): TopicInspection {
  const { groups, ...report } = JSON.parse(reply) as TopicAnswer;
  const inspected = listOf<GroupAnswer>(groups).map((group) => groupInspection(group, report));
  inspected.sort((one, other) => (one.group < other.group ? -1 : 1));
  return { topic, delivery: 'at-least-once', ...unknownOfTopic, ...report, groups: inspected };
}

function groupInspection(
  { letters, position, members, ...report }: GroupAnswer,
  { at, published }: Pick<TopicInspection, 'at' | 'published'>,
): GroupInspection {
  const { waiting, retries } = report;
  const answers = listOf<MemberAnswer>(members);
  // What the server has evicted of them is said again with their next upkeep: until then nobody knows what runs.
  const exact = report.exact && answers.every((member) => member.info !== undefined || !mayRun(member, at));
  const inspected = answers.map((member) => memberInspection(member));
  inspected.sort((one, other) => (one.id < other.id ? -1 : 1));
  const held = sum(inspected.map((member) => member.held));
  const live = inspected.filter(({ aliveUntil = 0 }) => aliveUntil > at);
  return {
    ...unknownOfGroup,
    ...report,
    exact,
    held,
    running: sum(live.map(({ running }) => running)),
    deadLetters: {
      entries: letters.entries,
      messages: letters.messages,
      byReason: Object.fromEntries(listOf<[string, number]>(letters.reasons)),
    },
    position: position === '0-0' ? undefined : position,
    handled: exact ? published - waiting - held - retries : undefined,
    members: inspected,
  };
}

function mayRun({ held, aliveUntil = 0 }: MemberAnswer, at: number): boolean {
  return held > 0 && aliveUntil > at;
}

/** A member reports now and then only: no more of what it holds runs than it holds by now. */
function memberInspection({ id, aliveUntil, held, info }: MemberAnswer): MemberInspection {
  const [, serviceOfName, hostOfName] = memberName.exec(id) ?? [];
  const said = saidIn(info);
  const running = Math.min(held, number(said.running) ?? 0);
  return {
    id,
    service: text(said.service) ?? serviceOfName,
    host: text(said.host) ?? hostOfName,
    pid: number(said.pid),
    version: text(said.version),
    aliveUntil,
    held,
    running,
    runningSince: running > 0 ? number(said.since) : undefined,
    reportedAt: number(said.at),
  };
}

function listOf<Item>(list: readonly Item[] | object): readonly Item[] {
  return Array.isArray(list) ? list : [];
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 200 ? value : undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
