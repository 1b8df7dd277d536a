import { type GroupInspection, lagOf, liveMembers, type TopicInspection } from '../../driver/inspection.js';
import { count, duration, iso } from '../text.js';
import type { Finding } from './finding.js';

/** How findings about topics are made. */
export interface TopicLook {
  /** A group without members for so long is abandoned. */
  readonly abandonedMs: number;
  /** The most entries that publishers let a topic grow to. */
  readonly maxLength: number;
  /** A command of this program, ready for a shell. */
  readonly command: (...words: string[]) => string;
}

/** A delayed message that is due for so long has been forgotten. */
const OVERDUE_MS = 30_000;

/** What there is to say of a topic and its groups. */
export function topicFindings(topic: TopicInspection, look: TopicLook): Finding[] {
  return [
    ...topic.groups.flatMap((group) => groupFindings(topic, group, look)),
    ...unread(topic, look),
    ...full(topic, look),
    ...overdue(topic, look),
  ];
}

function groupFindings(topic: TopicInspection, group: GroupInspection, look: TopicLook): Finding[] {
  const where = { topic: topic.topic, group: group.group };
  const { command } = look;
  if (liveMembers(group, topic.at).length === 0) {
    const { lastReadAt } = group;
    if (lastReadAt !== undefined && topic.at - lastReadAt < look.abandonedMs) return [];
    const kept = lagOf(group) + group.deadLetters.messages;
    const since = lastReadAt === undefined ? 'ever' : `since ${iso(lastReadAt)}`;
    const meaning =
      kept === 0
        ? 'What is published from now on is kept for it, until the topic is full and refuses publishes.'
        : 'All of it is kept for it, and what comes on top, until the topic is full and refuses publishes.';
    const commands = [
      command('explain', topic.topic, group.group),
      command('groups', 'rm', topic.topic, group.group, '--discard'),
    ];
    const text = `Nobody has read the group ${since}, and it has ${count(kept, 'message')}`;
    return [
      { check: 'abandoned', level: kept === 0 ? 'warning' : 'problem', ...where, text, meaning, commands },
    ];
  }
  if (!group.paused) return [];
  const commands = [command('groups', 'resume', topic.topic, group.group)];
  const meaning = 'Nothing is read for it until somebody resumes it, and its topic fills.';
  return [{ check: 'paused', level: 'note', ...where, text: 'The group is paused', meaning, commands }];
}

function unread({ topic, groups, messages }: TopicInspection, { command }: TopicLook): Finding[] {
  if (groups.length > 0 || messages === 0) return [];
  return [
    {
      check: 'unread',
      level: 'warning',
      topic,
      text: `No group reads the topic, and ${count(messages, 'message')} are kept`,
      meaning:
        'Of a topic without groups the newest 10,000 entries are kept, for a day: the rest is dropped.',
      commands: [command('topics', 'purge', topic)],
    },
  ];
}

function full({ topic, entries, groups }: TopicInspection, { maxLength, command }: TopicLook): Finding[] {
  if (entries < maxLength * 0.9) return [];
  const slowest = [...groups].sort((one, other) => lagOf(other) - lagOf(one)).at(0);
  const commands = slowest === undefined ? [] : [command('explain', topic, slowest.group)];
  const meaning = 'A full topic refuses what is published until its slowest group has handled some.';
  const text = `The topic has ${entries} of ${maxLength} entries`;
  return [
    { check: 'full', level: entries >= maxLength ? 'problem' : 'warning', topic, text, meaning, commands },
  ];
}

function overdue(
  { topic, at, overdue: many, nextDueAt = at }: TopicInspection,
  { command }: TopicLook,
): Finding[] {
  if (many === 0 || at - nextDueAt < OVERDUE_MS) return [];
  return [
    {
      check: 'overdue',
      level: 'warning',
      topic,
      text: `${count(many, 'delayed message')} are due, the first since ${duration(at - nextDueAt)}`,
      meaning: 'Publishers and members of the topic move them, and none of these runs.',
      commands: [command('delayed', topic)],
    },
  ];
}

/** The most names and commands of one finding. */
const MOST_NAMED = 5;

/** Live members that run different versions of this package. */
export function versionFindings(topics: readonly TopicInspection[], { command }: TopicLook): Finding[] {
  const check = 'versions';
  const versions = [...membersByVersion(topics)].sort(([one], [other]) => (one < other ? -1 : 1));
  if (versions.length === 0) return [];
  if (versions.length === 1)
    return [{ check, level: 'ok', text: `All members run version ${versions[0][0]}` }];
  const named = versions.map(([version, { names }]) => {
    return `${version}: ${[...names].sort().slice(0, MOST_NAMED).join(', ')}`;
  });
  const fewest = versions.map(([, { groups }]) => groups).sort((one, other) => one.size - other.size)[0];
  return [
    {
      check,
      level: 'warning',
      text: `Members run different versions. ${named.join('; ')}`,
      meaning:
        'While a new version is rolled out that is as it should be; afterwards some process was forgotten.',
      commands: [...fewest.values()].slice(0, MOST_NAMED).map((group) => command('pending', ...group)),
    },
  ];
}

/** Names of processes, and the groups that they read, by the version that they run. */
function membersByVersion(topics: readonly TopicInspection[]) {
  const found = new Map<string, { names: Set<string>; groups: Map<string, [string, string]> }>();
  for (const { topic, at, groups } of topics) {
    for (const group of groups) {
      for (const member of liveMembers(group, at)) {
        const { version = 'unknown', service = member.id, host = '?', pid = '?' } = member;
        const of = found.get(version) ?? { names: new Set(), groups: new Map() };
        of.names.add(`${service} (${host}, ${pid})`);
        of.groups.set(`${topic} ${group.group}`, [topic, group.group]);
        found.set(version, of);
      }
    }
  }
  return found;
}
