import type { Redis } from 'ioredis';
import {
  AUDIT_KEPT,
  type AuditEntry,
  type DelayedMessage,
  type DelayedRange,
  type SeekOutcome,
  type SeekTarget,
  type SettingOutcome,
  type Steering,
} from '../../../../driver/steering.js';
import { ConfigurationError } from '../../../../errors/bus.errors.js';
import { noGroup, notPaused, WouldLoseMessagesError } from '../../../../errors/group.errors.js';
import { saidIn } from '../group/group-member.js';
import { promoteScript } from '../scripts/publish-scripts.js';
import {
  auditScript,
  delayedScript,
  dueNowScript,
  memberReportsScript,
  purgeGroupScript,
  purgeTopicScript,
  removeDelayedScript,
  seekScript,
  setGroupScript,
} from '../scripts/steering-scripts.js';
import type { StreamCommand } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import { StreamScript } from '../stream-script.js';

const setGroup = new StreamScript(setGroupScript);
const memberReports = new StreamScript(memberReportsScript);
const seek = new StreamScript(seekScript);
const purgeGroup = new StreamScript(purgeGroupScript);
const purgeTopic = new StreamScript(purgeTopicScript);
const delayed = new StreamScript(delayedScript);
const dueNow = new StreamScript(dueNowScript);
const promote = new StreamScript(promoteScript);
const removeDelayed = new StreamScript(removeDelayedScript);
const writeAudit = new StreamScript(auditScript);

/** Members that cannot be nudged read a setting with their next upkeep, at most this long after the last one. */
const CONFIRM_MS = 15_000;
const LOOK_MS = 50;

type Report = ReturnType<typeof saidIn>;

/** Pauses, limits and moves groups, drops messages, and keeps the log of what operators did. */
export class GroupSteering implements Steering {
  constructor(private readonly context: StreamContext) {}

  async setGroup(
    topic: string,
    group: string,
    { paused, limit }: { readonly paused?: boolean; readonly limit?: number | null },
  ): Promise<SettingOutcome> {
    const { stream, state } = this.context.keys.group(topic, group);
    const fields: (string | number)[] = [];
    if (paused !== undefined) fields.push('paused', paused ? 1 : '');
    if (limit !== undefined) fields.push('limit', limit ?? '');
    const reply = await this.ask([stream, state], (client) =>
      setGroup.run(client, [stream, state], [group, ...fields]),
    );
    if (reply === -1) throw noGroup(topic, group);
    // Whoever has said nothing yet does not go by it.
    const isSet = (report: Report) =>
      typeof report.paused === 'boolean' &&
      (paused === undefined || report.paused === paused) &&
      (limit === undefined || (report.limit ?? null) === limit);
    return { changed: reply === 1, ...(await this.confirmed(topic, group, isSet)) };
  }

  async seekGroup(topic: string, group: string, target: SeekTarget, skip: boolean): Promise<SeekOutcome> {
    const { stream, state, members, retry } = this.context.keys.group(topic, group);
    const keys = [stream, state, members, retry];
    const args = [group, target.to, firstId(target), skip ? 1 : 0];
    const [outcome, count, position] = (await this.ask(keys, (client) => seek.run(client, keys, args))) as [
      string,
      number,
      string,
    ];
    if (outcome === 'none') throw noGroup(topic, group);
    if (outcome === 'members') throw notPaused(topic, group, count);
    if (outcome === 'loses') throw new WouldLoseMessagesError(topic, group, count, 'say skip: true');
    return { skipped: Math.max(0, count), repeated: Math.max(0, -count), position };
  }

  async purgeGroup(topic: string, group: string): Promise<number> {
    const { stream, retry, state, delayed, bodies } = this.context.keys.group(topic, group);
    const keys = [stream, retry, state, delayed, bodies];
    const count = await this.ask(keys, (client) => purgeGroup.run(client, keys, [group]));
    if (count === -1) throw noGroup(topic, group);
    return count as number;
  }

  async purgeTopic(topic: string): Promise<number> {
    const { stream, later, laterBodies } = this.context.keys.topic(topic);
    const keys = [stream, later, laterBodies];
    const reply = await this.ask(keys, (client) => purgeTopic.run(client, keys, []));
    const [outcome, what] = reply as [string, number | string];
    if (outcome === 'purged') return what as number;
    throw new ConfigurationError(`"${topic}" is read by the group "${what}": purge the groups one by one`);
  }

  async delayedMessages(topic: string, { offset = 0, limit }: DelayedRange): Promise<DelayedMessage[]> {
    const { later, laterBodies } = this.context.keys.topic(topic);
    const keys = [later, laterBodies];
    const found = await this.ask(keys, (client) => delayed.runForBytes(client, keys, [offset, limit]));
    return (found as Buffer[][]).map(([id, due, frame]) => ({
      id: id.toString('latin1'),
      dueAt: Number(due),
      frame,
    }));
  }

  async publishDelayed(topic: string, id: string): Promise<boolean> {
    const { later, laterBodies, stream } = this.context.keys.topic(topic);
    const keys = [later, laterBodies, stream];
    const there = await this.ask(keys, (client) => dueNow.run(client, [later], [id]));
    if (there === 1)
      await this.ask(keys, (client) => promote.run(client, keys, [this.context.options.unread.maxAgeMs]));
    return there === 1;
  }

  async removeDelayed(topic: string, id: string): Promise<boolean> {
    const { later, laterBodies } = this.context.keys.topic(topic);
    const keys = [later, laterBodies];
    return (await this.ask(keys, (client) => removeDelayed.run(client, keys, [id]))) === 1;
  }

  async audit(entry: Omit<AuditEntry, 'at'>): Promise<void> {
    const { audit } = this.context.keys;
    const fields = Object.entries(entry).flatMap(([name, value]) =>
      value === undefined ? [] : [name, value],
    );
    await this.ask([audit], (client) => writeAudit.run(client, [audit], [AUDIT_KEPT, ...fields]));
  }

  async audited(limit: number): Promise<AuditEntry[]> {
    const { audit } = this.context.keys;
    const found = await this.ask([audit], (client) => client.xrevrange(audit, '+', '-', 'COUNT', limit));
    return found.map(([id, fields]) => auditEntry(id, fields));
  }

  /** Nudges the live members until each of them says that it goes by the setting. */
  private async confirmed(
    topic: string,
    group: string,
    isSet: (report: Report) => boolean,
  ): Promise<{ members: number; confirmed: number }> {
    const { members, state } = this.context.keys.group(topic, group);
    const untilMs = performance.now() + CONFIRM_MS;
    const nudged = new Set<number>();
    for (;;) {
      const texts = (await this.ask([members, state], (client) =>
        memberReports.run(client, [members, state], []),
      )) as string[];
      const reports = texts.map(saidIn);
      const missing = reports.filter((report) => !isSet(report));
      const outcome = { members: reports.length, confirmed: reports.length - missing.length };
      if (missing.length === 0 || performance.now() >= untilMs) return outcome;
      for (const { reader } of missing) {
        if (typeof reader !== 'number' || nudged.has(reader)) continue;
        nudged.add(reader);
        this.nudge(reader);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Ends a blocking read of the member, upon which it looks after its groups. Without the right to, it does so in its own time. */
  private nudge(reader: number): void {
    this.context.admin.run((client) => (client as Redis).client('UNBLOCK', reader)).catch(() => undefined);
  }

  private ask<Reply>(keys: readonly string[], command: StreamCommand<Reply>) {
    return this.context.ask('steering', keys, command);
  }
}

function firstId(target: SeekTarget): string {
  if (target.to === 'time') return String(target.at);
  return target.to === 'position' ? target.position : '-';
}

function auditEntry(id: string, fields: readonly string[]): AuditEntry {
  const entry: Record<string, string | number> = { at: Number.parseInt(id, 10) };
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [name, value] = [fields[index], fields[index + 1]];
    entry[name] = name === 'messages' ? Number(value) : value;
  }
  return entry as unknown as AuditEntry;
}
