import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import type { Clock } from '../../timing/clock.js';

/** Where all servers of the transport are asked who they are. */
export const WHO_TOPIC = 'nest:who';

/** How long answers are collected once the first has come. */
const COLLECT_MS = 250;
/** More than this of a text is not kept: what comes is others' to write. */
const LONGEST = 300;
const MOST_PATTERNS = 10_000;

/** A server of the transport that answers requests: one `DiscoBusServer` of one process. */
export interface RpcInstance {
  /** Names it among all instances: 32 hexadecimal digits, new with each start. */
  readonly id: string;
  /** The name of its bus's `service`. */
  readonly service: string;
  readonly host: string;
  readonly pid: number;
  /** The version of this package. */
  readonly version: string;
  /** What it answers, as Nest writes the patterns of its handlers; sorted. */
  readonly patterns: readonly string[];
  /** Since when it answers, by its own clock: milliseconds since the epoch. */
  readonly since: number;
  /** When it said so, by the clock of whoever asked: milliseconds since the epoch. */
  readonly seenAt: number;
}

/** What asks for instances. */
export interface InstanceCensus {
  /** Sends a request to a topic of the bus's own, and tells `observer` of its replies. */
  readonly ask: (
    topic: string,
    payload: unknown,
    call: { readonly timeoutMs: number; readonly name: string; readonly aside: boolean },
    observer: { next(answer: unknown): void; complete(): void; error(error: unknown): void },
  ) => { cancel(): void };
  readonly clock: Clock;
}

/** Asks all servers who they are; those that answer within `timeoutMs`, and 250 ms after the first, by service, host and id. */
export function askInstances({ ask, clock }: InstanceCensus, timeoutMs: number): Promise<RpcInstance[]> {
  const found = new Map<string, RpcInstance>();
  return new Promise((resolve, reject) => {
    let timer: ReturnType<Clock['setTimeout']> | undefined;
    const end = () => {
      clock.clearTimeout(timer);
      question.cancel();
      resolve([...found.values()].sort(byName));
    };
    const next = (answer: unknown) => {
      timer ??= clock.setTimeout(end, COLLECT_MS);
      const instance = toInstance(answer, clock.now());
      if (instance) found.set(instance.id, instance);
    };
    const failed = (error: unknown) => {
      const nobody = ['DISCO_NO_RESPONDERS', 'DISCO_REQUEST_TIMEOUT'] as const;
      if (found.size > 0 || nobody.some((code) => isDiscoBusError(error, code))) end();
      else reject(error);
    };
    const call = { timeoutMs, name: 'instances', aside: true };
    const question = ask(WHO_TOPIC, null, call, { next, complete: () => end(), error: failed });
  });
}

function byName(one: RpcInstance, other: RpcInstance): number {
  const name = ({ service, host, id }: RpcInstance) => `${service}\0${host}\0${id}`;
  return name(one) < name(other) ? -1 : 1;
}

function toInstance(answer: unknown, seenAt: number): RpcInstance | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { id, service, host, pid, version, patterns, since } = answer as Partial<
    Record<keyof RpcInstance, unknown>
  >;
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) return undefined;
  if (!isText(service) || !isText(host) || !isText(version)) return undefined;
  if (!Number.isSafeInteger(pid) || typeof since !== 'number' || !Array.isArray(patterns)) return undefined;
  const told = patterns.filter(isText).slice(0, MOST_PATTERNS);
  return { id, service, host, pid: pid as number, version, patterns: told, since, seenAt };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST;
}
