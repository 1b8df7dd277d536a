import { hostname } from 'node:os';
import { VERSION } from '../../../../driver/package-version.js';

/** What a member writes down about itself with each upkeep, for whoever looks into its group. */
export interface MemberReport {
  readonly service: string;
  readonly host: string;
  readonly pid: number;
  /** Of this package. */
  readonly version: string;
  /** Messages that it has read and not settled, running ones included. */
  readonly held: number;
  /** Messages whose handlers run. */
  readonly running: number;
  /** Since when the longest of them runs, in ms on the server's clock. */
  readonly since?: number;
  /** When this was written, in ms on the server's clock. */
  readonly at: number;
}

/** What a report says of held messages. */
export interface HeldMessages {
  readonly messages: number;
  readonly begun: number;
  /** When the handler of the first of them began, if any has. */
  readonly beganMs: number | undefined;
}

/** The report of a member that holds `deliveries`. */
export function memberReport(
  service: string,
  deliveries: readonly HeldMessages[],
  serverNowMs: number,
): MemberReport {
  let [held, running, since] = [0, 0, Number.POSITIVE_INFINITY];
  for (const { messages, begun, beganMs } of deliveries) {
    held += messages;
    running += begun;
    if (begun > 0) since = Math.min(since, beganMs ?? serverNowMs);
  }
  const times = running > 0 ? { since: Math.round(since) } : {};
  const at = Math.round(serverNowMs);
  return { service, host: hostname(), pid: process.pid, version: VERSION, held, running, ...times, at };
}
