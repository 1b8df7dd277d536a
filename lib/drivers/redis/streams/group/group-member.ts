import type { DriverStatus } from '../../../../driver/driver-status.js';
import type { GroupSetting } from '../../../../driver/group-setting.js';
import { type ProcessIdentity, processIdentity } from '../../../../driver/process-identity.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { DriverError } from '../../../../errors/driver.errors.js';
import type { StreamContext } from '../stream-context.js';

/** What a driver gives up itself, in numbers. */
export interface GivenUp {
  /** Dead letters of which too many processes died. */
  readonly crashedOut?: number;
  /** Dead letters that hold no frame. */
  readonly unreadable?: number;
  /** Messages whose time to live was over. */
  readonly expired?: number;
  /** Messages that were published with a delay, and whose time to live was over before they came due. */
  readonly expiredLater?: number;
}

/** This process as a member of one group of one topic: what it works with, and how it reports what goes wrong. */
export class GroupMember {
  readonly keys = this.context.keys.group(this.topic, this.group);
  /** Names this process in the group. */
  readonly name = this.context.name;
  readonly options = this.context.options;
  /** For settling, upkeep and questions. */
  readonly connection = this.context.admin;
  private lastReading = '';
  private lastUpkeep: string | undefined;

  constructor(
    readonly context: StreamContext,
    readonly topic: string,
    readonly group: string,
  ) {}

  /** A subscriber threw. */
  readonly subscriberThrew = (thrown: unknown): void => {
    const told = { cause: thrown, retryable: false };
    this.tell(new DriverError(`The subscriber of "${this.topic}" threw`, told));
  };

  /** Reading fails. Reported once for each kind of failure. */
  readingFailed(error: DiscoBusError): void {
    if (error.message === this.lastReading) return;
    this.lastReading = error.message;
    this.tell(error);
  }

  /** Upkeep went well, or failed with `error`. A refusal is reported once, until its reason changes. */
  upkeepEnded(error?: DiscoBusError): void {
    if (error?.code === 'DISCO_NOT_CONNECTED' || error?.code === 'DISCO_CLOSED') return;
    if (error?.message === this.lastUpkeep) return;
    this.lastUpkeep = error?.message;
    if (error === undefined) return;
    const text = `The group "${this.group}" of "${this.topic}" cannot be looked after: ${error.message}`;
    this.tell(new DriverError(text, { cause: error }));
  }

  /** `dropped` dead letters gave way to newer ones. */
  lettersDropped(dropped: number): void {
    const { topic, group } = this;
    const { maxDeadLetters } = this.options;
    if (dropped > 0) this.status({ type: 'dead-letters-full', topic, group, dropped, maxDeadLetters });
  }

  /** What the driver gave up itself, once it is recorded: entries that became dead letters, and messages that were dropped. */
  gaveUp({ crashedOut = 0, unreadable = 0, expired = 0, expiredLater = 0 }: GivenUp): void {
    const { topic, group } = this;
    for (const [reason, letters] of [
      ['crashes', crashedOut],
      ['undecodable', unreadable],
    ] as const)
      if (letters > 0) this.status({ type: 'dead-letter', topic, group, reason, letters });
    if (expired > 0) this.status({ type: 'expired', topic, group, messages: expired });
    if (expiredLater > 0) this.status({ type: 'expired', topic, group: undefined, messages: expiredLater });
  }

  /** Entries are gone that were not settled. */
  dataLost(): void {
    this.status({ type: 'data-loss', topic: this.topic });
  }

  private tell(error: DiscoBusError): void {
    this.status({ type: 'error', error });
  }

  private status(status: DriverStatus): void {
    this.context.status(status);
  }
}

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
interface HeldMessages {
  readonly messages: number;
  readonly begun: number;
  /** When the handler of the first of them began, if any has. */
  readonly beganMs: number | undefined;
}

/** What a member reports beside who it is. */
interface MemberState {
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
