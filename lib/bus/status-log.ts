import type { DeadLettersFull, DriverStatus } from '../driver/driver-status.js';
import { ToldOnce } from '../driver/told-once.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { type BusLogger, errorLine } from './options/bus-logger.js';

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

  hear(status: DriverStatus): void {
    const { logger } = this;
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
      case 'data-loss':
        logger.error(`"${status.topic}": the server has lost messages that it had stored`);
        break;
      case 'full':
        if (status.full)
          logger.error(
            'The server has no memory left: publishes at least once are refused until there is room',
          );
        else logger.log('The server has room again: publishes are accepted');
        break;
      case 'evicts':
        logger.warn(
          `The server drops keys when its memory is full (maxmemory-policy ${status.policy}): messages, retries and locks may vanish. Set it to noeviction`,
        );
        break;
      case 'abandoned':
        logger.error(abandonedLine(status));
        break;
      case 'dead-letters-full':
        this.deadLettersFull(status);
        break;
      case 'deduplication-full':
        this.deduplicationFull(status);
        break;
      case 'unread':
      case 'trimmed':
        if (this.told[status.type].isNew(status.topic)) logger.warn(lineOf(status));
    }
  }

  private connected({ target = this.name, fallback }: Extract<DriverStatus, { type: 'connected' }>): void {
    const goneS = this.lostMs === undefined ? undefined : (performance.now() - this.lostMs) / 1000;
    this.lostMs = undefined;
    this.errors = new ToldOnce(REMEMBERED);
    if (goneS !== undefined) this.logger.log(`Connected to ${target} again after ${goneS.toFixed(1)} s`);
    else if (fallback)
      this.logger.warn(
        `Connected to ${target}, since nothing says where the server is: set url or DISCO_BUS_URL`,
      );
    else this.logger.log(`Connected to ${target}`);
  }

  /** The driver's own end is no loss. */
  private disconnected(error: DiscoBusError | undefined): void {
    if (error === undefined) return;
    this.lostMs = performance.now();
    this.logger.warn(`${this.name}: the connection is lost: ${errorLine(error)}`);
  }

  private gap({ topics, from, to }: Extract<DriverStatus, { type: 'gap' }>): void {
    const some = topics
      .slice(0, 5)
      .map((topic) => `"${topic}"`)
      .join(', ');
    const more = topics.length > 5 ? ` and ${topics.length - 5} more` : '';
    this.logger.warn(
      `${this.name}: messages at most once of ${some}${more} may have been missed for ${((to - from) / 1000).toFixed(1)} s`,
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
    if (tells) this.logger.error(fullLine(status, sum));
  }

  private deduplicationFull({
    maxIds,
    windowMs,
  }: Extract<DriverStatus, { type: 'deduplication-full' }>): void {
    if (this.forgetful) return;
    this.forgetful = true;
    this.logger.warn(
      `${this.name}: ${maxIds} ids of publishes are remembered, and the oldest are forgotten before their ${windowMs} ms are over: what repeats them is stored again. Raise maxDeduplicationIds or shorten deduplicationWindow`,
    );
  }

  /** Each once until there is a connection again; beyond so many, all again. */
  private error(error: DiscoBusError): void {
    if (this.errors.isNew(error.message)) this.logger.error(`${this.name}: ${errorLine(error)}`);
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
