import { Injectable } from '@nestjs/common';
import type { SeekTarget } from '../driver/steering.js';
import type { BusEntry } from '../nest/bus-registry.js';
import { ApiError, badRequest, notFound } from './api-error.js';
import { BusReader } from './bus-reader.js';
import type { GivenValues } from './given-values.js';
import { ShownBuses } from './shown-buses.js';

/** An action that somebody asks for. */
export interface Asked {
  readonly entry: BusEntry;
  readonly given: GivenValues;
  readonly by: string;
}

/** An action of the API: what its body may have, and what it answers. */
export interface Action {
  readonly given: readonly string[];
  readonly act: (actions: BusActions, asked: Asked) => Promise<object>;
}

/** How long a replay of many may take: what is left stays where it is, and can be asked for again. */
const REPLAY_MS = 20_000;
const REPLAYS_PER_SECOND = 1_000;

/** Carries out what may change something. Each action leaves a line in the log and an entry in the audit, as `bus.admin` does it. */
@Injectable()
export class BusActions {
  constructor(
    private readonly buses: ShownBuses,
    private readonly reader: BusReader,
  ) {}

  async setPaused(asked: Asked, paused: boolean) {
    const { topic, group } = await this.reader.groupOf(asked.entry, asked.given);
    const { admin } = asked.entry.service;
    const { by } = asked;
    return paused ? admin.pauseGroup(topic, group, { by }) : admin.resumeGroup(topic, group, { by });
  }

  /** Without `limit`, or with null, takes the limit away. */
  async limit({ entry, given, by }: Asked) {
    const limit = given.whole('limit', 1);
    const { topic, group } = await this.reader.groupOf(entry, given);
    return entry.service.admin.limitGroup(topic, group, limit, { by });
  }

  async seek({ entry, given, by }: Asked) {
    const target = targetOf(given);
    const { topic, group, waiting } = await this.reader.groupOf(entry, given);
    const skip = given.flag('skip');
    if (skip) assertConfirmed(given, waiting, 'messages wait, and may be skipped');
    return entry.service.admin.seekGroup(topic, group, target, { by, skip });
  }

  /** Of a group, or, without one, of a topic that no group reads. */
  async purge({ entry, given, by }: Asked) {
    const { admin } = entry.service;
    if (given.has('group')) {
      const { topic, group, waiting, retries } = await this.reader.groupOf(entry, given);
      assertConfirmed(given, waiting + retries, 'messages wait, and would be dropped');
      return { purged: await admin.purgeGroup(topic, group, { by }) };
    }
    const { topic, messages, delayed } = await this.reader.topicOf(entry, given);
    assertConfirmed(given, messages + delayed, 'messages are kept, and would be dropped');
    return { purged: await admin.purgeTopic(topic, { by }) };
  }

  async replay(asked: Asked) {
    const { letters, position, by } = await this.letter(asked);
    if (await letters.replay(position, { by })) return { replayed: 1 };
    throw notFound(`There is no dead letter ${position} (any more)`);
  }

  /** All, or those of one reason. `stopped`: there was no time for all of them. */
  async replayAll({ entry, given, by }: Asked) {
    const reason = given.optionalText('reason');
    const { topic, group, deadLetters } = await this.reader.groupOf(entry, given);
    const count = reason === undefined ? deadLetters.entries : (deadLetters.byReason[reason] ?? 0);
    assertConfirmed(given, count, 'dead letters would come back');
    const signal = AbortSignal.timeout(REPLAY_MS);
    const report = await entry.service.deadLetters(topic, group).replayAll({
      ...{ by, rate: REPLAYS_PER_SECOND, signal, maxReplays: given.whole('maxReplays', 1, 1_000) },
      ...(reason !== undefined && { filter: (letter) => letter.reason === reason }),
    });
    return { ...report, stopped: signal.aborted };
  }

  async remove(asked: Asked) {
    const { letters, position, by } = await this.letter(asked);
    if (await letters.remove(position, { by })) return { removed: 1 };
    throw notFound(`There is no dead letter ${position} (any more)`);
  }

  async releaseLock({ entry, given, by }: Asked) {
    const key = given.text('key');
    const { locks } = entry.service;
    const { holders } = await this.buses.ask(entry, () => locks.inspect(key));
    if (holders.length === 0) throw notFound(`Nobody holds the lock ${JSON.stringify(key)}`);
    assertConfirmed(given, holders.length, 'holders would lose it');
    return { released: await locks.forceRelease(key, { by }) };
  }

  private async letter({ entry, given, by }: Asked) {
    const position = given.position('position') ?? given.text('position');
    const { topic, group } = await this.reader.groupOf(entry, given);
    return { letters: entry.service.deadLetters(topic, group), position, by };
  }
}

function targetOf(given: GivenValues): SeekTarget {
  const to = given.choice('to', ['beginning', 'end', 'time', 'position']);
  if (to === 'beginning' || to === 'end') return { to };
  if (to === 'position') return { to, position: given.position('position') ?? given.text('position') };
  const at = given.whole('at', 0);
  if (at === undefined) throw badRequest('"at" is missing: milliseconds since the epoch');
  return { to, at };
}

/** `confirm` is the most that whoever asked has agreed to. */
function assertConfirmed(given: GivenValues, count: number, what: string): void {
  const confirmed = given.whole('confirm', 0);
  if (confirmed !== undefined && count <= confirmed) return;
  const said = confirmed === undefined ? 'confirm is missing' : `confirm says ${confirmed}`;
  throw new ApiError(409, 'NOT_CONFIRMED', `${count} ${what}, and ${said}`, { count });
}

const ofGroup = ['topic', 'group'];

/** The actions by name, which is their address below `api/actions/`. */
export const actions: Readonly<Record<string, Action>> = {
  pause: { given: ofGroup, act: (on, asked) => on.setPaused(asked, true) },
  resume: { given: ofGroup, act: (on, asked) => on.setPaused(asked, false) },
  limit: { given: [...ofGroup, 'limit'], act: (on, asked) => on.limit(asked) },
  seek: {
    given: [...ofGroup, 'to', 'at', 'position', 'skip', 'confirm'],
    act: (on, asked) => on.seek(asked),
  },
  purge: { given: [...ofGroup, 'confirm'], act: (on, asked) => on.purge(asked) },
  replay: { given: [...ofGroup, 'position'], act: (on, asked) => on.replay(asked) },
  'replay-all': {
    given: [...ofGroup, 'reason', 'maxReplays', 'confirm'],
    act: (on, asked) => on.replayAll(asked),
  },
  remove: { given: [...ofGroup, 'position'], act: (on, asked) => on.remove(asked) },
  'release-lock': { given: ['key', 'confirm'], act: (on, asked) => on.releaseLock(asked) },
};
