import type { GroupSetting } from '../../../../driver/group-setting.js';
import { type ProcessIdentity, processIdentity } from '../../../../driver/process-identity.js';

/** What a member writes down about itself with each upkeep, for whoever looks into its group. */
export interface MemberReport extends ProcessIdentity {
  /** Messages that it has read and not settled, running ones included. */
  readonly held: number;
  /** Messages whose handlers run. */
  readonly running: number;
  /** Since when the longest of them runs, in ms on the server's clock. */
  readonly since?: number;
  /** It goes by a pause of its group. */
  readonly paused: boolean;
  /** It goes by this limit of its group. */
  readonly limit?: number;
  /** The number of the connection that reads, by which its reads can be ended; undefined where there is no such one. */
  readonly reader?: number;
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

/** What a member reports beside who it is. */
export interface MemberState {
  readonly deliveries: readonly HeldMessages[];
  readonly setting: GroupSetting;
  readonly reader: number | undefined;
}

/** The report of a member. */
export function memberReport(
  service: string,
  { deliveries, setting, reader }: MemberState,
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
  return { ...processIdentity(service), held, running, ...times, ...setting, reader, at };
}

/** What the text of a report says. Anybody who may write to the server may have written it, so each field is to be checked. */
export function saidIn(text: string | undefined): { readonly [Field in keyof MemberReport]?: unknown } {
  if (text === undefined || text === '') return {};
  try {
    const said: unknown = JSON.parse(text);
    return typeof said === 'object' && said !== null ? said : {};
  } catch {
    return {};
  }
}
