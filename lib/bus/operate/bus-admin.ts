import type { DiscoDriver } from '../../driver/driver.js';
import { offersGroupRemoval } from '../../driver/group-removal.js';
import { offersInspection } from '../../driver/inspection.js';
import {
  type AuditEntry,
  offersSteering,
  type SeekOutcome,
  type SeekTarget,
  type SettingOutcome,
  type Steering,
} from '../../driver/steering.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { WouldLoseMessagesError } from '../../errors/group.errors.js';
import { aBoolean, aNumber, aString, type OptionKinds } from '../../errors/option-kinds.js';
import type { Message } from '../../message/message.js';
import { assertTopic } from '../../message/topic.js';
import { PATIENCE_MS, type WaitingRoom } from '../connection/waiting-room.js';
import type { MessageDecoder } from '../wire/message-decoder.js';
import type { DeedLog } from './deed-log.js';

/** Who does something, for the log and the audit. */
export interface AdminOptions {
  /** @default the service's name */
  by?: string;
}

/** How a group is to be moved. */
export interface SeekOptions extends AdminOptions {
  /** Messages that the group has not handled may be skipped. @default false */
  skip?: boolean;
}

/** How a group is to be removed. */
export interface RemoveGroupOptions extends AdminOptions {
  /** What it has not handled, its retries and its dead letters may be lost. @default false */
  discard?: boolean;
}

/** Which delayed messages to look at, the next to be due first. */
export interface DelayedOptions {
  /** Leaves out so many. @default 0 */
  offset?: number;
  /** 1 to 1000. @default 100 */
  limit?: number;
}

/** A message that was published with a delay, and is not due yet. */
export interface DelayedPublish {
  /** Names it among the delayed ones of its topic. */
  readonly id: string;
  /** When it is due, in ms since the epoch, on the server's clock. */
  readonly dueAt: number;
  /** Undefined when its bytes cannot be read. */
  readonly message?: Message;
}

/** What a {@link BusAdmin} works with. */
export interface BusAdminDeps {
  readonly engine: DiscoDriver;
  readonly waitingRoom: WaitingRoom;
  readonly decoder: MessageDecoder;
  readonly deeds: DeedLog;
  readonly service: string;
}

const byKind: OptionKinds<AdminOptions> = { by: aString };
const seekKinds: OptionKinds<SeekOptions> = { ...byKind, skip: aBoolean };
const removeKinds: OptionKinds<RemoveGroupOptions> = { ...byKind, discard: aBoolean };
const delayedKinds: OptionKinds<DelayedOptions> = { offset: aNumber, limit: aNumber };

/**
 * What operators do to topics and groups, for all processes of all services. Whatever would lose messages is refused unless
 * it is asked for by name, repeating a call does no harm, and each deed leaves a line in the log and an entry in `audited`. Every promise
 * rejects with TopicInvalidError, with ConfigurationError for a group that is not there or a driver that cannot, and with
 * NotConnectedError where there is no connection for 5 s.
 */
export class BusAdmin {
  /** @internal */
  constructor(private readonly deps: BusAdminDeps) {}

  /**
   * Stops a group in all its processes: nothing is read for it and no handler of it starts, until `resumeGroup`, also after a
   * restart; handlers that run go on. Of a topic that it reads by a pattern, what a process had read already is still handled.
   * Resolves when all live members say so, or after 15 s with how many did.
   */
  pauseGroup(topic: string, group: string, options: AdminOptions = {}): Promise<SettingOutcome> {
    return this.set('pause', topic, group, { paused: true }, options);
  }

  /** Lets a group go on. Resolves as `pauseGroup` does. */
  resumeGroup(topic: string, group: string, options: AdminOptions = {}): Promise<SettingOutcome> {
    return this.set('resume', topic, group, { paused: false }, options);
  }

  /**
   * Has each process handle at most `limit` messages at a time for the group, or as many as it was built for where `limit` is
   * undefined. It lowers the `concurrency` of handlers and never raises it; a handler of a topic pattern does not go by it.
   * Resolves as `pauseGroup` does.
   */
  limitGroup(
    topic: string,
    group: string,
    limit: number | undefined,
    options: AdminOptions = {},
  ): Promise<SettingOutcome> {
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
      return Promise.reject(new ConfigurationError(`limit must be a whole number from 1, not ${limit}`));
    }
    const action = limit === undefined ? 'unlimit' : `limit ${limit}`;
    return this.set(action, topic, group, { limit: limit ?? null }, options);
  }

  /**
   * Has a group go on somewhere else in its topic. Only what is stored can be read again: what every group has handled is not.
   * Rejects with ConfigurationError while it has live members and is not paused, with WouldLoseMessagesError where it would skip
   * messages and `skip` does not allow that. What its members have read, and its retries, stay with it.
   */
  async seekGroup(
    topic: string,
    group: string,
    target: SeekTarget,
    options: SeekOptions = {},
  ): Promise<SeekOutcome> {
    assertOptions('seekGroup', options, seekKinds);
    assertTarget(target);
    const steering = await this.steering(topic, group);
    const outcome = await steering.seekGroup(topic, group, target, options.skip === true);
    const messages = outcome.skipped + outcome.repeated;
    await this.note({ action: `seek ${target.to}`, topic, group, messages }, options);
    return outcome;
  }

  /** Drops what waits for a group: what it has not read, and its retries; not what its members have read, nor dead letters. Resolves with how many messages. */
  async purgeGroup(topic: string, group: string, options: AdminOptions = {}): Promise<number> {
    assertOptions('purgeGroup', options, byKind);
    const steering = await this.steering(topic, group);
    const messages = await steering.purgeGroup(topic, group);
    await this.note({ action: 'purge', topic, group, messages }, options);
    return messages;
  }

  /** Drops all that is stored of a topic that no group reads, with its delayed messages. Resolves with how many messages. */
  async purgeTopic(topic: string, options: AdminOptions = {}): Promise<number> {
    assertOptions('purgeTopic', options, byKind);
    const steering = await this.steering(topic);
    const messages = await steering.purgeTopic(topic);
    await this.note({ action: 'purge topic', topic, messages }, options);
    return messages;
  }

  /**
   * Removes a group that nobody reads any more, with all that is kept for it. Resolves with whether there was one. Rejects with
   * ConfigurationError while a member of it is alive, with WouldLoseMessagesError where it has messages, retries or dead letters and `discard` does
   * not allow that.
   */
  async removeGroup(topic: string, group: string, options: RemoveGroupOptions = {}): Promise<boolean> {
    assertOptions('removeGroup', options, removeKinds);
    await this.steering(topic, group);
    const { engine } = this.deps;
    if (!offersGroupRemoval(engine))
      throw new ConfigurationError(`The driver "${engine.name}" removes no groups`);
    const messages = await this.keptFor(topic, group);
    if (messages > 0 && options.discard !== true)
      throw new WouldLoseMessagesError(topic, group, messages, 'say discard: true');
    const there = await engine.removeGroup(topic, group);
    if (there) await this.note({ action: 'remove group', topic, group, messages }, options);
    return there;
  }

  /** Delayed messages of a topic. */
  async delayed(topic: string, options: DelayedOptions = {}): Promise<DelayedPublish[]> {
    assertOptions('delayed', options, delayedKinds);
    const { offset = 0, limit = 100 } = options;
    assertRange('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    assertRange('limit', limit, 1, 1_000);
    const found = await (await this.steering(topic)).delayedMessages(topic, { offset, limit });
    return Promise.all(
      found.map(async ({ frame, ...where }) => {
        try {
          return { ...where, message: await this.deps.decoder.decode(topic, frame) };
        } catch {
          return where;
        }
      }),
    );
  }

  /** Publishes a delayed message now. False if it is not there any more. */
  publishDelayed(topic: string, id: string, options: AdminOptions = {}): Promise<boolean> {
    return this.toDelayed('publish', topic, options, (steering) => steering.publishDelayed(topic, id));
  }

  /** Deletes a delayed message. False if it is not there any more. */
  removeDelayed(topic: string, id: string, options: AdminOptions = {}): Promise<boolean> {
    return this.toDelayed('remove', topic, options, (steering) => steering.removeDelayed(topic, id));
  }

  /** What operators did last on this server, the newest first; the last 1,000 deeds are kept. `limit`: 1 to 1000. */
  async audited(limit = 100): Promise<AuditEntry[]> {
    assertRange('limit', limit, 1, 1_000);
    return (await this.steering()).audited(limit);
  }

  private async toDelayed(
    verb: 'publish' | 'remove',
    topic: string,
    options: AdminOptions,
    act: (steering: Steering) => Promise<boolean>,
  ): Promise<boolean> {
    assertOptions(`${verb}Delayed`, options, byKind);
    const there = await act(await this.steering(topic));
    if (there) await this.note({ action: `${verb} delayed`, topic, messages: 1 }, options);
    return there;
  }

  private async set(
    action: string,
    topic: string,
    group: string,
    setting: { paused?: boolean; limit?: number | null },
    options: AdminOptions,
  ): Promise<SettingOutcome> {
    assertOptions(action.split(' ')[0], options, byKind);
    const steering = await this.steering(topic, group);
    const outcome = await steering.setGroup(topic, group, setting);
    if (outcome.changed) await this.note({ action, topic, group }, options);
    return outcome;
  }

  private async steering(topic?: string, group?: string): Promise<Steering> {
    if (topic !== undefined) assertTopic(topic);
    if (group !== undefined && (typeof group !== 'string' || group === ''))
      throw new ConfigurationError('A group must be a name');
    const { engine, waitingRoom } = this.deps;
    await waitingRoom.connected(PATIENCE_MS);
    if (offersSteering(engine)) return engine.steering();
    throw new ConfigurationError(`The driver "${engine.name}" cannot be steered`);
  }

  private note(deed: Omit<AuditEntry, 'at' | 'by'>, { by = this.deps.service }: AdminOptions): Promise<void> {
    return this.deps.deeds.record({ by, ...deed });
  }

  private async keptFor(topic: string, group: string): Promise<number> {
    const { engine } = this.deps;
    const found = offersInspection(engine) ? await engine.inspectTopic(topic) : undefined;
    const kept = found?.groups.find(({ group: name }) => name === group);
    return kept === undefined ? 0 : kept.waiting + kept.held + kept.retries + kept.deadLetters.messages;
  }
}

function assertTarget(target: SeekTarget): void {
  const { to, at, position } = (target ?? {}) as { to?: unknown; at?: unknown; position?: unknown };
  if (to === 'beginning' || to === 'end') return;
  if (to === 'time' && typeof at === 'number' && Number.isInteger(at) && at >= 0) return;
  if (to === 'position' && typeof position === 'string' && /^\d{1,20}-\d{1,20}$/.test(position)) return;
  throw new ConfigurationError(
    "A seek takes { to: 'beginning' }, { to: 'end' }, { to: 'time', at } in whole ms since the epoch, or { to: 'position', position } of a receipt without its part",
  );
}

function assertRange(name: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new ConfigurationError(`${name} must be a whole number from ${least} to ${most}`);
}
