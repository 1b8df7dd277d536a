import type { GroupHindrances, ServerMemory } from '../../driver/group-hindrances.js';
import {
  type GroupInspection,
  lagOf,
  liveMembers,
  type MemberInspection,
  type TopicInspection,
} from '../../driver/inspection.js';
import type { TopicDissent } from '../../driver/topic-agreements.js';
import { count, duration, iso } from '../../timing/words.js';

/** Why something waits, in a fixed word and in a sentence, with the command that changes it. */
export interface Reason {
  readonly reason: string;
  readonly text: string;
  /** Words of a command of `disco-bus`. */
  readonly command?: readonly string[];
}

/** What is known of a group when somebody asks why it waits. */
export interface Known {
  readonly topic: TopicInspection;
  readonly group: GroupInspection;
  readonly hindrances: GroupHindrances;
  readonly servers: readonly ServerMemory[];
  /** The most entries that publishers let the topic grow to. */
  readonly maxLength: number;
}

/** The topic is used otherwise than with groups. */
export function dissentReason(topic: string, { by, bare }: TopicDissent): Reason {
  const how = bare ? "on the wire 'go'" : 'at most once';
  return {
    reason: 'another-guarantee',
    text: `"${topic}" is used ${how} by ${by.join(', ')}: such messages are stored for no group, and a group that wants to read it is refused`,
  };
}

/** All that keeps the group from handling what it has; of each kind one, the strongest first. Never empty. */
export function reasonsOf(known: Known): Reason[] {
  const found = [paused, noMember, deadHolder, limited, suspects, ordered, busy, retries, full, delayed, dead]
    .map((look) => look(known))
    .filter((reason) => reason !== undefined);
  if (found.some(({ reason }) => reason !== 'dead-letters' && reason !== 'delayed')) return found;
  return [...found, remaining(known)];
}

function where({ topic, group }: Known): [string, string] {
  return [topic.topic, group.group];
}

const alive = ({ topic, group }: Known): readonly MemberInspection[] => liveMembers(group, topic.at);

function paused(known: Known): Reason | undefined {
  if (!known.group.paused) return undefined;
  const text = 'The group is paused: nothing is read for it until somebody resumes it';
  return { reason: 'paused', text, command: ['groups', 'resume', ...where(known)] };
}

function noMember(known: Known): Reason | undefined {
  if (alive(known).length > 0) return undefined;
  const { lastReadAt } = known.group;
  const when = lastReadAt === undefined ? 'it was never read' : `it was last read at ${iso(lastReadAt)}`;
  return {
    reason: 'no-member',
    text: `No process reads the group, and ${when}: start the service that reads it, or remove the group if it is not needed any more`,
    command: ['groups', 'rm', ...where(known), '--discard'],
  };
}

function deadHolder(known: Known): Reason | undefined {
  const live = new Set(alive(known));
  const gone = known.group.members.filter((member) => !live.has(member) && member.held > 0);
  if (gone.length === 0) return undefined;
  const names = gone.map(({ id, held }) => `${id} (${held})`).join(', ');
  const text = `Members that are not heard of any more hold messages: ${names}. They come back to the group once another member looks after it`;
  return { reason: 'dead-member', text };
}

function limited(known: Known): Reason | undefined {
  const { group } = known;
  const { limit } = group;
  if (limit === undefined || group.paused || lagOf(group) === 0) return undefined;
  return {
    reason: 'limited',
    text: `Operators let each process handle at most ${count(limit, 'message')} at a time for the group; ${group.running} run`,
    command: ['groups', 'limit', ...where(known), 'none'],
  };
}

function suspects({ hindrances: { suspects: found } }: Known): Reason | undefined {
  if (found.length === 0) return undefined;
  const [{ position, crashes }] = found;
  const first = crashes > 0 ? `, after ${crashes} of them ended while it ran` : '';
  return {
    reason: 'suspect',
    text: `${count(found.length, 'message')} may have ended a process (the first at ${position}${first}): each is tried alone, and everything else of the group waits meanwhile`,
  };
}

function ordered(known: Known): Reason | undefined {
  const { group, topic, hindrances } = known;
  const { soleReader } = hindrances;
  if (soleReader === undefined || group.waiting + group.held === 0) return undefined;
  const { member, readsUntil } = soleReader;
  const others = alive(known).filter(({ id }) => id !== member).length;
  const standing = others === 0 ? '' : `; ${count(others, 'other member')} stand by`;
  if (readsUntil > topic.at) {
    const text = `The order of keys is kept: only ${member} reads, and what belongs to a key waits until what came before it has ended${standing}`;
    return { reason: 'ordered', text };
  }
  const text = `The order of keys is kept, and ${member}, which alone could read, is not heard of since ${duration(topic.at - readsUntil)}: another follows once what it held has come back${standing}`;
  return { reason: 'ordered', text };
}

function busy(known: Known): Reason | undefined {
  const { group, topic } = known;
  const idle = group.waiting + group.held - group.running;
  if (group.paused || group.running === 0 || idle <= 0) return undefined;
  const begun = alive(known).flatMap(({ runningSince }) => runningSince ?? []);
  const longest = begun.length === 0 ? '' : `, the longest for ${duration(topic.at - Math.min(...begun))}`;
  return {
    reason: 'busy',
    text: `All places are busy: ${count(group.running, 'handler')} of ${count(alive(known).length, 'member')} run${longest}, and ${count(idle, 'message')} wait for a place`,
    command: ['pending', ...where(known)],
  };
}

function retries({ group, topic }: Known): Reason | undefined {
  if (group.retries === 0 || group.nextRetryAt === undefined) return undefined;
  const due = group.nextRetryAt > topic.at ? `due at ${iso(group.nextRetryAt)}, in` : 'due since';
  const wait = duration(Math.abs(group.nextRetryAt - topic.at));
  return {
    reason: 'retry',
    text: `${count(group.retries, 'message')} failed and are tried again; the next is ${due} ${wait}`,
  };
}

function full(known: Known): Reason | undefined {
  const { topic, servers, maxLength } = known;
  const packed = servers.find(
    ({ usedMemory = 0, maxMemory = 0 }) => maxMemory > 0 && usedMemory >= maxMemory,
  );
  if (packed !== undefined) {
    const text = `The server at ${packed.host}:${packed.port} has no memory left: it refuses what is published, retried or delayed`;
    return { reason: 'full', text, command: ['doctor'] };
  }
  if (topic.entries < maxLength) return undefined;
  const text = `The topic is full: it has ${topic.entries} of ${maxLength} entries, and refuses what is published until its slowest group has handled some`;
  return { reason: 'full', text, command: ['groups', topic.topic] };
}

function delayed({ topic }: Known): Reason | undefined {
  if (topic.delayed === 0 || topic.nextDueAt === undefined) return undefined;
  if (topic.overdue > 0) {
    const text = `${count(topic.overdue, 'delayed message')} are due, the first since ${duration(topic.at - topic.nextDueAt)}, and nobody moves them: that is done by publishers and members of the topic`;
    return { reason: 'overdue', text };
  }
  const text = `${count(topic.delayed, 'message')} were published with a delay; the next is due at ${iso(topic.nextDueAt)}, in ${duration(topic.nextDueAt - topic.at)}`;
  return { reason: 'delayed', text, command: ['delayed', topic.topic] };
}

function dead(known: Known): Reason | undefined {
  const { deadLetters } = known.group;
  if (deadLetters.entries === 0) return undefined;
  const reasons = Object.entries(deadLetters.byReason).map(([reason, many]) => `${reason} ${many}`);
  return {
    reason: 'dead-letters',
    text: `${count(deadLetters.entries, 'dead letter')} were given up (${reasons.join(', ')}), and wait for nothing but a replay`,
    command: ['dead', 'list', ...where(known)],
  };
}

/** Nothing hinders it. */
function remaining({ group, topic }: Known): Reason {
  if (lagOf(group) === 0) {
    return { reason: 'nothing', text: 'Nothing waits: the group is done with all that was published' };
  }
  if (group.running > 0 && group.waiting === 0) {
    return {
      reason: 'running',
      text: `All that is left is being handled: ${count(group.running, 'message')}`,
    };
  }
  const read = group.lastReadAt === undefined ? '' : `, last ${duration(topic.at - group.lastReadAt)} ago`;
  const text = `Members are alive and look after the group${read}, and nothing hinders them: look again in a moment`;
  return { reason: 'reading', text };
}
