import type {
  DeadLettered,
  DeadLettersFull,
  DriverStatus,
  MessagesExpired,
} from '../driver/driver-status.js';
import { ToldOnce } from '../driver/told-once.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import type { LockLost } from './bus-status.js';
import { type BusLogger, errorFields, errorLine, type LogFields, printable } from './options/bus-logger.js';

/** Topics that are remembered as told. */
const REMEMBERED = 1_000;
/** How often it is told that a group's dead letters are full. */
const FULL_AGAIN_MS = 600_000;

/** Writes what a driver tells to the log: of single topics each kind once for each topic, an error once until the next connection. */
export class StatusLog {
  private readonly told = { unread: new ToldOnce(REMEMBERED), trimmed: new ToldOnce(REMEMBERED) };

  private readonly full = new Map<string, { toldMs: number; dropped: number }>();
  private errors = new ToldOnce(REMEMBERED);
  private lostMs: number | undefined;
  /** It was told that ids are forgotten early. */
  private forgetful = false;

  constructor(
    private readonly name: string,
    private readonly logger: BusLogger,
  ) {}

  hear(status: DriverStatus | LockLost): void {
    switch (status.type) {
      case 'connected':
        this.connected(status);
        break;
      case 'disconnected':
        this.disconnected(status.error);
        break;
      case 'error':
        this.error(status.error);
        break;
      case 'gap':
        this.gap(status);
        break;
      case 'abandoned':
        this.abandoned(status);
        break;
      case 'dead-letters-full':
        this.deadLettersFull(status);
        break;
      case 'deduplication-full':
        this.deduplicationFull(status);
        break;
      case 'dead-letter':
        this.deadLettered(status);
        break;
      case 'expired':
        this.expired(status);
        break;
      case 'lock-lost':
        this.lockLost(status);
        break;
      case 'unread':
      case 'trimmed':
        this.topic(status);
        break;
      default:
        this.server(status);
    }
  }

  /** The bus has drained, and has read something before. */
  drained(tookMs: number): void {
    this.logger.log(`${this.name}: drained in ${Math.round(tookMs)} ms: nothing is read any more`, {
      event: 'drained',
      tookMs: Math.round(tookMs),
    });
  }

  /** What its server does to what it stores. */
  private server(status: Extract<DriverStatus, { type: 'data-loss' | 'full' | 'evicts' }>): void {
    const { logger } = this;
    if (status.type === 'data-loss') {
      const { topic } = status;
      logger.error(`"${topic}": the server has lost messages that it had stored`, {
        event: 'data-loss',
        topic,
      });
    } else if (status.type === 'evicts') {
      const { policy } = status;
      logger.warn(
        `The server drops keys when its memory is full (maxmemory-policy ${policy}): messages, retries and locks may vanish. Set it to noeviction`,
        { event: 'server-evicts', policy },
      );
    } else if (status.full) {
      logger.error('The server has no memory left: publishes at least once are refused until there is room', {
        event: 'server-full',
      });
    } else {
      logger.log('The server has room again: publishes are accepted', { event: 'server-has-room' });
    }
  }

  private topic(status: Extract<DriverStatus, { type: 'unread' | 'trimmed' }>): void {
    const { type, topic } = status;
    if (this.told[type].isNew(topic)) this.logger.warn(lineOf(status), { event: `topic-${type}`, topic });
  }

  private abandoned(status: Extract<DriverStatus, { type: 'abandoned' }>): void {
    const { topic, group, messages, removed } = status;
    this.logger.error(abandonedLine(status), { event: 'group-abandoned', topic, group, messages, removed });
  }

  private deadLettered({ topic, group, reason, letters }: DeadLettered): void {
    const what = letters === 1 ? 'a message became a dead letter' : `${letters} messages became dead letters`;
    this.logger.error(
      `"${topic}": ${what} of the group "${group}" (${reason}): disco-bus dead list ${topic} ${group}`,
      { event: 'dead-lettered', topic, group, reason, letters },
    );
  }

  private expired({ topic, group, messages }: MessagesExpired): void {
    const [what, its, them] =
      messages === 1 ? ['a message was', 'its', 'it'] : [`${messages} messages were`, 'their', 'them'];
    const reader =
      group === undefined ? `any group could read ${them}` : `the group "${group}" handled ${them}`;
    this.logger.warn(`"${topic}": ${what} dropped: ${its} ttl was over before ${reader}`, {
      event: 'expired',
      topic,
      ...(group !== undefined && { group }),
      messages,
    });
  }

  private lockLost({ keys, fencingToken }: LockLost): void {
    const names = keys.map((key) => JSON.stringify(printable(key))).join(', ');
    this.logger.error(
      `The lock ${names} was lost before it was released: somebody else may hold it (fencing token ${fencingToken})`,
      { event: 'lock-lost', lock: printable(keys.join(' ')), fencingToken: String(fencingToken) },
    );
  }

  private connected({ target = this.name, fallback }: Extract<DriverStatus, { type: 'connected' }>): void {
    const goneS = this.lostMs === undefined ? undefined : (performance.now() - this.lostMs) / 1000;
    this.lostMs = undefined;
    this.errors = new ToldOnce(REMEMBERED);
    const fields: LogFields = { event: 'connected', target };
    if (goneS !== undefined)
      this.logger.log(`Connected to ${target} again after ${goneS.toFixed(1)} s`, {
        ...fields,
        event: 'connected-again',
        outageMs: Math.round(goneS * 1_000),
      });
    else if (fallback)
      this.logger.warn(
        `Connected to ${target}, since nothing says where the server is: set url or DISCO_BUS_URL`,
        fields,
      );
    else this.logger.log(`Connected to ${target}`, fields);
  }

  /** The driver's own end is no loss. */
  private disconnected(error: DiscoBusError | undefined): void {
    if (error === undefined) return;
    this.lostMs = performance.now();
    this.logger.warn(`${this.name}: the connection is lost: ${errorLine(error)}`, {
      event: 'connection-lost',
      ...errorFields(error),
    });
  }

  private gap({ topics, from, to }: Extract<DriverStatus, { type: 'gap' }>): void {
    const some = topics
      .slice(0, 5)
      .map((topic) => `"${topic}"`)
      .join(', ');
    const more = topics.length > 5 ? ` and ${topics.length - 5} more` : '';
    this.logger.warn(
      `${this.name}: messages at most once of ${some}${more} may have been missed for ${((to - from) / 1000).toFixed(1)} s`,
      { event: 'messages-missed', topics: topics.slice(0, 5).join(' '), from, to },
    );
  }

  /** With what gave way since it was told last. */
  private deadLettersFull(status: DeadLettersFull): void {
    const name = `${status.topic} ${status.group}`;
    const nowMs = performance.now();
    const { toldMs, dropped } = this.full.get(name) ?? { toldMs: Number.NEGATIVE_INFINITY, dropped: 0 };
    const sum = dropped + status.dropped;
    const tells = nowMs - toldMs >= FULL_AGAIN_MS;
    if (this.full.size >= REMEMBERED && !this.full.has(name)) this.full.clear();
    this.full.set(name, tells ? { toldMs: nowMs, dropped: 0 } : { toldMs, dropped: sum });
    if (!tells) return;
    const { topic, group } = status;
    this.logger.error(fullLine(status, sum), { event: 'dead-letters-full', topic, group, dropped: sum });
  }

  private deduplicationFull({
    maxIds,
    windowMs,
  }: Extract<DriverStatus, { type: 'deduplication-full' }>): void {
    if (this.forgetful) return;
    this.forgetful = true;
    this.logger.warn(
      `${this.name}: ${maxIds} ids of publishes are remembered, and the oldest are forgotten before their ${windowMs} ms are over: what repeats them is stored again. Raise maxDeduplicationIds or shorten deduplicationWindow`,
      { event: 'deduplication-full', maxIds, windowMs },
    );
  }

  /** Each once until there is a connection again; beyond so many, all again. */
  private error(error: DiscoBusError): void {
    if (!this.errors.isNew(error.message)) return;
    this.logger.error(`${this.name}: ${errorLine(error)}`, { event: 'driver-error', ...errorFields(error) });
  }
}

function fullLine({ topic, group, maxDeadLetters, maxBytes }: DeadLettersFull, dropped: number): string {
  const kept =
    maxBytes === undefined ? `${maxDeadLetters} dead letters` : `dead letters of ${maxBytes} bytes at most`;
  const raised = maxBytes === undefined ? 'maxDeadLetters' : 'maxBytes';
  return `"${topic}": the group "${group}" keeps ${kept}, and the oldest ${dropped} gave way to newer ones: replay or purge them, or raise ${raised}`;
}

function abandonedLine({
  topic,
  group,
  messages,
  since,
  removed,
}: Extract<DriverStatus, { type: 'abandoned' }>): string {
  const when = since === undefined ? 'ever' : `since ${new Date(since).toISOString()}`;
  const text = `"${topic}": nobody has read the group "${group}" ${when}, and it holds ${messages} entries`;
  return removed
    ? `${text}: it was removed`
    : `${text}: start what reads it, or remove it with removeGroup('${topic}', '${group}') before the topic is full`;
}

function lineOf(status: Extract<DriverStatus, { type: 'unread' | 'trimmed' }>): string {
  if (status.type === 'trimmed') {
    return `"${status.topic}": ${status.entries} stored entries were dropped for newer ones; further ones are told by the status 'trimmed'`;
  }
  const { topic, maxLength, maxBytes, maxAgeMs } = status;
  return `"${topic}" is published at least once and no group reads it: at most ${maxLength} entries and ${maxBytes} bytes are kept for it, for ${maxAgeMs} ms, and the oldest are dropped`;
}
