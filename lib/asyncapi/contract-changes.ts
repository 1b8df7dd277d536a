import type { AsyncApiDocument, AsyncApiMessage } from './document.js';
import { type SchemaChange, type SchemaEffect, schemaChanges } from './schema-changes.js';

/** A change between two documents of a contract. */
export interface ContractChange {
  readonly topic: string;
  /** `unknown` cannot be compared: somebody has to look. */
  readonly level: 'breaking' | 'unknown' | 'compatible';
  /** Of whose release it is a fault to meet the other: the new one's, as it reads what the old one sent, or the old one's. */
  readonly breaks?: 'new-readers' | 'old-readers';
  /** What part of the topic changed. */
  readonly part: 'topic' | 'policy' | 'payload' | 'reply';
  readonly version?: number;
  /** The field, where one is meant. */
  readonly path?: string;
  readonly text: string;
}

/** How {@link contractChanges} judges. */
export interface ContractCheckOptions {
  /**
   * Whoever handles a topic has the new release before anybody publishes with it. So the old release reads nothing of the new
   * one; of replies it is the other way round. @default false: releases run side by side
   */
  readonly handlersFirst?: boolean;
}

type Policy = Readonly<Record<string, unknown>>;
type Told = Omit<ContractChange, 'topic'>;

/** What is different in `now`, topic by topic, which are known by their addresses. */
export function contractChanges(
  before: AsyncApiDocument,
  now: AsyncApiDocument,
  options: ContractCheckOptions = {},
): ContractChange[] {
  const [old, next] = [topicsOf(before), topicsOf(now)];
  const changes: ContractChange[] = [];
  const tell = (topic: string, told: readonly Told[]) => {
    changes.push(...told.map((each) => ({ topic, ...each })));
  };
  for (const [topic, was] of old) {
    const is = next.get(topic);
    if (is === undefined) tell(topic, [{ level: 'breaking', part: 'topic', text: 'the topic is gone' }]);
    else tell(topic, topicChanges(was, is, options.handlersFirst ?? false));
  }
  for (const topic of next.keys())
    if (!old.has(topic)) tell(topic, [{ level: 'compatible', part: 'topic', text: 'a new topic' }]);
  return changes;
}

interface Topic {
  readonly document: AsyncApiDocument;
  readonly policy: Policy;
  readonly versions: ReadonlyMap<number, AsyncApiMessage>;
  readonly reply: AsyncApiMessage | undefined;
}

function topicsOf(document: AsyncApiDocument): Map<string, Topic> {
  const topics = new Map<string, Topic>();
  const messageAt = (ref: string) => document.components.messages[ref.split('/').at(-1)!];
  for (const [id, { address, messages, 'x-disco-bus': policy = {} }] of Object.entries(document.channels)) {
    if (address === null) continue;
    const all = Object.values(messages).map(({ $ref }) => messageAt($ref));
    const versions = new Map(all.map((each) => [Number(each['x-disco-bus']?.version ?? 1), each]));
    const answered = Object.values(document.operations).find(
      ({ channel, reply }) => reply !== undefined && channel.$ref === `#/channels/${id}`,
    );
    const inbox = answered?.reply && document.channels[answered.reply.channel.$ref.split('/').at(-1)!];
    const [replied] = Object.values(inbox?.messages ?? {});
    topics.set(address, { document, policy, versions, reply: replied && messageAt(replied.$ref) });
  }
  return topics;
}

function topicChanges(was: Topic, is: Topic, handlersFirst: boolean): Told[] {
  const told: Told[] = policyChanges(was.policy, is.policy);
  for (const [version, message] of was.versions) {
    const next = is.versions.get(version);
    if (next === undefined) {
      told.push({ level: 'breaking', part: 'payload', version, text: `version ${version} is gone` });
      continue;
    }
    const judge = judgement(handlersFirst ? 'old-readers' : undefined);
    const changed = messageChanges([was, message], [is, next]).map((each) => judge(each, 'payload'));
    told.push(...changed.map((each) => ({ ...each, ...(is.versions.size > 1 && { version }) })));
  }
  for (const version of is.versions.keys())
    if (!was.versions.has(version)) told.push(newVersion(version, was.policy, handlersFirst));
  if (was.reply !== undefined && is.reply !== undefined) {
    const judge = judgement(handlersFirst ? 'new-readers' : undefined);
    told.push(...messageChanges([was, was.reply], [is, is.reply]).map((each) => judge(each, 'reply')));
  }
  return told;
}

/** Handlers of the old release let it wait, or they do not. */
function newVersion(version: number, policy: Policy, handlersFirst: boolean): Told {
  const waits = policy.newer === 'wait' && deliveryOf(policy) === 'at-least-once';
  const fate = waits ? 'let it wait' : 'give it up';
  const text = `version ${version} is new: handlers of earlier ones ${fate}`;
  if (waits || handlersFirst) return { level: 'compatible', part: 'payload', version, text };
  return { level: 'breaking', breaks: 'old-readers', part: 'payload', version, text };
}

function messageChanges(
  [was, old]: readonly [Topic, AsyncApiMessage],
  [is, next]: readonly [Topic, AsyncApiMessage],
): SchemaChange[] {
  if (old.payload === undefined || next.payload === undefined) {
    const both = old.payload === undefined && next.payload === undefined;
    const text = both
      ? 'it has no JSON Schema'
      : `it has a JSON Schema ${next.payload ? 'only now' : 'no more'}`;
    return [{ path: '', effect: 'unknown', text }];
  }
  const before = { schema: old.payload, document: was.document };
  return schemaChanges(before, { schema: next.payload, document: is.document });
}

/** `spared`: who meets no message of the other release. */
function judgement(spared: ContractChange['breaks']) {
  return ({ path, effect, text }: SchemaChange, part: 'payload' | 'reply'): Told => {
    const at = { part, ...(path !== '' && { path }), text };
    if (effect === 'unknown') return { level: 'unknown', ...at };
    const breaks = readers[effect];
    if (breaks === undefined || breaks === spared) return { level: 'compatible', ...at };
    return { level: 'breaking', breaks, ...at };
  };
}

const readers: Readonly<Partial<Record<SchemaEffect, ContractChange['breaks']>>> = {
  narrowed: 'new-readers',
  widened: 'old-readers',
};

/** All that read or write a topic follow these. */
const agreed = ['kind', 'delivery', 'wire', 'orderBy', 'key'];

function policyChanges(was: Policy, is: Policy): Told[] {
  const [before, after] = [was, is].map(
    ({ wire = 'disco', kind = 'topic', key = false, ...rest }): Policy => {
      return { ...rest, wire, kind, key, delivery: deliveryOf({ ...rest, wire }) };
    },
  );
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name): Told[] => {
    const [old, next] = [before[name], after[name]].map((value) => JSON.stringify(value));
    if (old === next) return [];
    const level = agreed.includes(name) ? 'breaking' : 'compatible';
    return [{ level, part: 'policy', text: `${name} ${old ?? 'unsaid'} is now ${next ?? 'unsaid'}` }];
  });
}

function deliveryOf({ delivery, wire }: Policy): unknown {
  return delivery ?? (wire === 'go' ? 'at-most-once' : 'at-least-once');
}
