import { Inject, Injectable } from '@nestjs/common';
import { inspectEach, namesOfTopics } from '../bus/operate/many-topics.js';
import type { TopicInspection } from '../driver/inspection.js';
import type { LockInspection } from '../driver/lock-inspection.js';
import { VERSION } from '../driver/package-version.js';
import type { BusEntry } from '../nest/bus-registry.js';
import { DiscoHealth } from '../nest/health/disco-health.js';
import { notFound } from './api-error.js';
import { DASHBOARD_OPTIONS, type ResolvedDashboardOptions } from './dashboard-options.js';
import type { GivenValues } from './given-values.js';
import { topicView, totalsOf } from './group-view.js';
import { ShownBuses } from './shown-buses.js';
import { shownMessage } from './shown-message.js';

/** Which topics an overview shows. */
export interface OverviewRange {
  readonly after?: string;
  readonly match?: string;
  readonly limit: number;
}

/** A look of the API: what may be given, and what is answered. */
export interface Look {
  readonly given: readonly string[];
  readonly read: (reader: BusReader, entry: BusEntry, given: GivenValues) => Promise<object>;
}

/** Answers the looks of the API. Changes nothing. */
@Injectable()
export class BusReader {
  constructor(
    private readonly buses: ShownBuses,
    private readonly health: DiscoHealth,
    @Inject(DASHBOARD_OPTIONS) private readonly options: ResolvedDashboardOptions,
  ) {}

  /** What the dashboard shows and may; asks no server. */
  settings() {
    const { readOnly, payloads } = this.options;
    const buses = this.buses.names.map((name) => this.buses.told(this.buses.named(name)));
    return { readOnly, payloads, version: VERSION, buses };
  }

  /** A page of topics of one bus with their groups, and how the bus is. Totals are those of the page. */
  async overview(entry: BusEntry, { after, match, limit }: OverviewRange) {
    const found = await this.buses.ask(entry, async ({ inspect }) => {
      if (match === undefined) return inspect.topics({ limit, ...(after !== undefined && { after }) });
      const names = await namesOfTopics(inspect, (topic) => topic.includes(match) && topic > (after ?? ''));
      return inspectEach(inspect, names.slice(0, limit));
    });
    const topics = found.map(topicView);
    const { status, problems } = this.health.readiness({ buses: [entry.name] });
    return {
      ...this.buses.told(entry),
      at: topics[0]?.at ?? Date.now(),
      health: { status, problems },
      totals: totalsOf(topics),
      topics,
      next: topics.length < limit ? undefined : topics.at(-1)?.topic,
    };
  }

  /** One topic with its groups and their members; how its messages are handled, as far as this process knows. */
  async topic(entry: BusEntry, given: GivenValues) {
    const found = await this.topicOf(entry, given, true);
    const policies = entry.service.bus.subscriptions.filter(({ topic }) => topic === found.topic);
    return { ...found, subscriptions: policies };
  }

  async explain(entry: BusEntry, given: GivenValues) {
    const [topic, group] = [given.topic(), given.text('group')];
    const reasons = await this.buses.ask(entry, ({ inspect }) => inspect.explain(topic, group));
    if (reasons === undefined) throw noGroup(topic, group);
    return { topic, group, reasons: reasons.map(({ reason, text }) => ({ reason, text })) };
  }

  async messages(entry: BusEntry, given: GivenValues) {
    const { topic } = await this.topicOf(entry, given);
    const range = { limit: given.limit(), after: given.position('after') };
    const { messages, next } = await this.buses.ask(entry, ({ inspect }) => inspect.messages(topic, range));
    const shown = messages.map(({ position, message }) => ({ position, ...this.shown(message) }));
    return { topic, payloads: this.options.payloads, messages: shown, next };
  }

  async deadLetters(entry: BusEntry, given: GivenValues) {
    const { topic, group, deadLetters } = await this.groupOf(entry, given);
    const limit = given.limit();
    const range = { limit, after: given.position('after'), reason: given.optionalText('reason') };
    const letters = await this.buses.ask(entry, (bus) => bus.deadLetters(topic, group).peek(range));
    const shown = letters.map(({ frame, message, error, ...letter }) => ({
      ...letter,
      error,
      bytes: frame.byteLength,
      id: message?.id,
      publishedAt: message?.timestamp,
    }));
    const next = letters.length < limit ? undefined : letters.at(-1)?.position;
    return { topic, group, ...deadLetters, letters: shown, next };
  }

  async deadLetter(entry: BusEntry, given: GivenValues) {
    const { topic, group } = await this.groupOf(entry, given);
    const position = given.position('position') ?? given.text('position');
    const letter = await this.buses.ask(entry, (bus) => bus.deadLetters(topic, group).find(position));
    if (letter === undefined)
      throw notFound(`The group "${group}" of "${topic}" has no dead letter ${position}`);
    const { frame, message, ...told } = letter;
    return { topic, group, ...told, bytes: frame.byteLength, message: this.shown(message) };
  }

  /** What is published with a delay, and what is tried again, by group. */
  async delayed(entry: BusEntry, given: GivenValues) {
    const { topic, delayed: count, overdue, groups } = await this.topicOf(entry, given);
    const [offset, limit] = [given.whole('offset', 0) ?? 0, given.limit()];
    const found = await this.buses.ask(entry, ({ admin }) => admin.delayed(topic, { offset, limit }));
    const delayed = found.map(({ message, ...where }) => ({ ...where, message: this.shown(message) }));
    const retries = groups.map(({ group, retries, nextRetryAt }) => ({ group, retries, nextRetryAt }));
    const next = found.length < limit ? undefined : offset + found.length;
    return { topic, count, overdue, delayed, retries, next };
  }

  async locks(entry: BusEntry, given: GivenValues) {
    const [match, cursor] = [given.optionalText('match'), given.optionalText('cursor')];
    const range = { match, cursor, limit: given.limit() };
    const page = await this.buses.ask(entry, ({ locks }) => locks.list(range));
    return { locks: page.locks.map(lockView), next: page.cursor };
  }

  async lock(entry: BusEntry, given: GivenValues) {
    const key = given.text('key');
    return lockView(await this.buses.ask(entry, ({ locks }) => locks.inspect(key)));
  }

  async instances(entry: BusEntry) {
    return { instances: await this.buses.ask(entry, ({ inspect }) => inspect.instances()) };
  }

  async audit(entry: BusEntry, given: GivenValues) {
    const limit = given.limit();
    return { deeds: await this.buses.ask(entry, ({ admin }) => admin.audited(limit)) };
  }

  /** Throws a 404 for a topic of which nothing is stored and that nobody reads. */
  async topicOf(entry: BusEntry, given: GivenValues, bytes = false): Promise<TopicInspection> {
    const topic = given.topic();
    const found = await this.buses.ask(entry, ({ inspect }) => inspect.topic(topic, { bytes }));
    if (found !== undefined) return found;
    throw notFound(`Nothing is stored of the topic "${topic}", and no group reads it`);
  }

  /** Throws a 404 for a group that there is not. */
  async groupOf(entry: BusEntry, given: GivenValues) {
    const name = given.text('group');
    const { topic, at, groups } = await this.topicOf(entry, given);
    const found = groups.find(({ group }) => group === name);
    if (found === undefined) throw noGroup(topic, name);
    return { topic, at, ...found };
  }

  private shown(message: Parameters<typeof shownMessage>[0]) {
    return shownMessage(message, this.options.payloads);
  }
}

function noGroup(topic: string, group: string) {
  return notFound(`The topic "${topic}" has no group ${JSON.stringify(group.slice(0, 80))}`);
}

/** JSON has no bigint. */
function lockView({ fencingToken, ...lock }: LockInspection) {
  return { ...lock, fencingToken: String(fencingToken) };
}

/** The looks by name, which is their address below `api/`. */
export const looks: Readonly<Record<string, Look>> = {
  overview: {
    given: ['after', 'match', 'limit'],
    read: (reader, entry, given) =>
      reader.overview(entry, {
        after: given.optionalText('after'),
        match: given.optionalText('match'),
        limit: given.limit(),
      }),
  },
  topic: { given: ['topic'], read: (reader, entry, given) => reader.topic(entry, given) },
  explain: { given: ['topic', 'group'], read: (reader, entry, given) => reader.explain(entry, given) },
  messages: {
    given: ['topic', 'after', 'limit'],
    read: (reader, entry, given) => reader.messages(entry, given),
  },
  'dead-letters': {
    given: ['topic', 'group', 'reason', 'after', 'limit'],
    read: (reader, entry, given) => reader.deadLetters(entry, given),
  },
  'dead-letter': {
    given: ['topic', 'group', 'position'],
    read: (reader, entry, given) => reader.deadLetter(entry, given),
  },
  delayed: {
    given: ['topic', 'offset', 'limit'],
    read: (reader, entry, given) => reader.delayed(entry, given),
  },
  locks: { given: ['match', 'cursor', 'limit'], read: (reader, entry, given) => reader.locks(entry, given) },
  lock: { given: ['key'], read: (reader, entry, given) => reader.lock(entry, given) },
  instances: { given: [], read: (reader, entry) => reader.instances(entry) },
  audit: { given: ['limit'], read: (reader, entry, given) => reader.audit(entry, given) },
};
