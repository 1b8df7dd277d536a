import type { TopicRange } from '../../driver/inspection.js';
import { isTopicPattern, type TopicMatcher, topicMatcher } from '../../message/topic-pattern.js';
import { type GroupMember } from './group-member.js';
import type { LogSettings } from './log-settings.js';
import { TopicLog } from './topic-log.js';

/** A group on a topic pattern: it is a group of every topic that matches, also of those that come later. */
interface PatternGroup {
  readonly name: string;
  readonly matches: TopicMatcher;
  readonly members: Set<GroupMember>;
}

/** All topics that are kept. */
export class TopicLogs {
  private readonly logs = new Map<string, TopicLog>();
  private readonly patternGroups = new Map<string, PatternGroup>();

  constructor(private readonly settings: LogSettings) {}

  /** The log of `topic` where there is one. */
  find(topic: string): TopicLog | undefined {
    return this.logs.get(topic);
  }

  /** The names of topics, sorted. */
  names({ after = '', limit }: TopicRange): string[] {
    const behind = [...this.logs.keys()].filter((topic) => topic > after);
    return behind.sort().slice(0, limit);
  }

  /** Whether there was such a group; with the last one goes a topic that holds nothing else. */
  removeGroup(topic: string, group: string): boolean {
    const log = this.logs.get(topic);
    const removed = log?.removeGroup(group) ?? false;
    if (log?.isUnread && log.length === 0) this.logs.delete(topic);
    return removed;
  }

  /** The live members of `group` on `topic`, also where nothing was published to it yet. */
  countMembers(topic: string, group: string): number {
    const found = this.logs.get(topic)?.findGroup(group);
    if (found) return found.size;
    let count = 0;
    for (const { name, matches, members } of this.patternGroups.values()) {
      if (name === group && matches(topic)) count += members.size;
    }
    return count;
  }

  /** Makes `member` one of the group's on every topic meant; the returned function ends that. */
  join(
    topicOrPattern: string,
    group: string,
    startFrom: 'beginning' | 'new',
    member: GroupMember,
  ): () => void {
    if (!isTopicPattern(topicOrPattern)) {
      member.join(this.log(topicOrPattern).group(group, startFrom));
      return () => member.close();
    }
    const patternGroup = this.patternGroup(topicOrPattern, group);
    patternGroup.members.add(member);
    for (const log of this.logs.values()) {
      if (patternGroup.matches(log.topic)) member.join(log.group(group, startFrom));
    }
    return () => {
      patternGroup.members.delete(member);
      member.close();
    };
  }

  /** The log of `topic`; made, and joined by the groups of patterns, where there is none yet. */
  log(topic: string): TopicLog {
    let log = this.logs.get(topic);
    if (log === undefined) {
      log = new TopicLog(topic, this.settings);
      this.logs.set(topic, log);
      this.joinPatternGroups(log);
    }
    return log;
  }

  /** All of a new topic is new, so the pattern groups begin at its beginning. */
  private joinPatternGroups(log: TopicLog): void {
    for (const { name, matches, members } of this.patternGroups.values()) {
      if (!matches(log.topic)) continue;
      const group = log.group(name, 'beginning');
      for (const member of members) member.join(group);
    }
  }

  private patternGroup(pattern: string, name: string): PatternGroup {
    const key = `${pattern} ${name}`;
    let group = this.patternGroups.get(key);
    if (group === undefined) {
      group = { name, matches: topicMatcher(pattern), members: new Set() };
      this.patternGroups.set(key, group);
    }
    return group;
  }
}
