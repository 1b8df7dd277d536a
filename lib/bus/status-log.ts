import type { DriverStatus } from '../driver/driver-status.js';
import { ToldTopics } from '../driver/told-topics.js';
import type { BusLogger } from './bus-logger.js';

/** Topics that are remembered as told. */
const REMEMBERED = 1_000;

/** Writes what a driver tells to the log: where it is connected, and of single topics each kind once. */
export class StatusLog {
  private readonly told = { unread: new ToldTopics(REMEMBERED), trimmed: new ToldTopics(REMEMBERED) };

  constructor(private readonly logger: BusLogger) {}

  hear(status: DriverStatus): void {
    if (status.type === 'connected' && status.target !== undefined) {
      if (status.fallback)
        this.logger.warn(
          `Connected to ${status.target}, since nothing says where the server is: set url or DISCO_BUS_URL`,
        );
      else this.logger.log(`Connected to ${status.target}`);
    }
    if (status.type === 'full') {
      if (status.full)
        this.logger.error(
          'The server has no memory left: publishes at least once are refused until there is room',
        );
      else this.logger.log('The server has room again: publishes are accepted');
    }
    if (status.type === 'evicts') {
      this.logger.warn(
        `The server drops keys when its memory is full (maxmemory-policy ${status.policy}): messages, retries and locks may vanish. Set it to noeviction`,
      );
    }
    if (status.type !== 'unread' && status.type !== 'trimmed') return;
    if (this.told[status.type].isNew(status.topic)) this.logger.warn(lineOf(status));
  }
}

function lineOf(status: Extract<DriverStatus, { type: 'unread' | 'trimmed' }>): string {
  if (status.type === 'trimmed') {
    return `"${status.topic}": ${status.entries} stored entries were dropped for newer ones; further ones are told by the status 'trimmed'`;
  }
  const { topic, maxLength, maxBytes, maxAgeMs } = status;
  return `"${topic}" is published at least once and no group reads it: at most ${maxLength} entries and ${maxBytes} bytes are kept for it, for ${maxAgeMs} ms, and the oldest are dropped`;
}
