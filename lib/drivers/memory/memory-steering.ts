import { type GroupSetting, isSameSetting } from '../../driver/group-setting.js';
import {
  AUDIT_KEPT,
  type AuditEntry,
  type DelayedMessage,
  type DelayedRange,
  type SeekOutcome,
  type SeekTarget,
  type SettingOutcome,
  type Steering,
} from '../../driver/steering.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { noGroup, notPaused, WouldLoseMessagesError } from '../../errors/group.errors.js';
import type { Clock } from '../../timing/clock.js';
import type { ConsumerGroup } from './consumer-group.js';
import type { TopicLog } from './topic-log.js';
import type { TopicLogs } from './topic-logs.js';

/** What operators do to the topics and groups of a broker. Members are of this process, so they go by a setting at once. */
export class MemorySteering implements Steering {
  private readonly deeds: AuditEntry[] = [];

  constructor(
    private readonly logs: TopicLogs,
    private readonly clock: Clock,
  ) {}

  async setGroup(
    topic: string,
    name: string,
    { paused, limit }: { readonly paused?: boolean; readonly limit?: number | null },
  ): Promise<SettingOutcome> {
    const { group } = this.find(topic, name);
    const before = group.setting;
    const kept = limit === undefined ? before.limit : (limit ?? undefined);
    const setting: GroupSetting = {
      paused: paused ?? before.paused,
      ...(kept === undefined ? {} : { limit: kept }),
    };
    const changed = !isSameSetting(setting, before);
    if (changed) group.set(setting);
    return { changed, members: group.size, confirmed: group.size };
  }

  async seekGroup(topic: string, name: string, target: SeekTarget, skip: boolean): Promise<SeekOutcome> {
    const { log, group } = this.find(topic, name);
    if (group.size > 0 && !group.setting.paused) {
      throw notPaused(topic, name, group.size);
    }
    const seq = target.to === 'end' ? log.end : log.seqFrom(firstPosition(target));
    const losses = group.between(seq);
    if (losses > 0 && !skip) throw new WouldLoseMessagesError(topic, name, losses, 'say skip: true');
    const moved = group.seek(seq);
    return { skipped: Math.max(0, moved), repeated: Math.max(0, -moved), position: log.nextPosition() };
  }

  async purgeGroup(topic: string, name: string): Promise<number> {
    return this.find(topic, name).group.purge();
  }

  async purgeTopic(topic: string): Promise<number> {
    const log = this.logs.find(topic);
    const [group] = log?.groupNames ?? [];
    if (group !== undefined)
      throw new ConfigurationError(`"${topic}" is read by the group "${group}": purge the groups one by one`);
    return log?.purge() ?? 0;
  }

  async delayedMessages(topic: string, { offset = 0, limit }: DelayedRange): Promise<DelayedMessage[]> {
    const log = this.logs.find(topic);
    if (log === undefined) return [];
    const { later, at, nowMs } = log.standing;
    return Array.from(later.values(), ({ position, frame, due }) => ({
      id: position,
      dueAt: at + Math.round(due.dueMs - nowMs),
      frame,
    }))
      .sort((one, other) => one.dueAt - other.dueAt)
      .slice(offset, offset + limit);
  }

  async publishDelayed(topic: string, id: string): Promise<boolean> {
    return this.logs.find(topic)?.publishDelayed(id) ?? false;
  }

  async removeDelayed(topic: string, id: string): Promise<boolean> {
    return this.logs.find(topic)?.removeDelayed(id) ?? false;
  }

  async audit(entry: Omit<AuditEntry, 'at'>): Promise<void> {
    this.deeds.push({ at: Math.trunc(this.clock.now()), ...entry });
    if (this.deeds.length > AUDIT_KEPT) this.deeds.shift();
  }

  async audited(limit: number): Promise<AuditEntry[]> {
    return this.deeds.slice(-limit).reverse();
  }

  private find(topic: string, name: string): { log: TopicLog; group: ConsumerGroup } {
    const log = this.logs.find(topic);
    const group = log?.findGroup(name);
    if (log !== undefined && group !== undefined) return { log, group };
    throw noGroup(topic, name);
  }
}

function firstPosition(target: SeekTarget): string {
  if (target.to === 'time') return `${target.at}-0`;
  return target.to === 'position' ? target.position : '0-0';
}
