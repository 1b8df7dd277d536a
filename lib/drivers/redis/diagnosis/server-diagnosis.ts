import type { Cluster, Redis } from 'ioredis';
import { lockCommands } from '../locks/lock-rights.js';
import { isNotAllowed, missingRights, type RightsNeed } from '../rights/missing-rights.js';
import { featureCommands } from '../streams/feature-rights.js';
import { persistFor, type StreamConnection, serverTimeMs } from '../streams/stream-connection.js';
import type { StreamKeys } from '../streams/stream-keys.js';

/** How much a client of a class may leave unread before it is cut off. Bytes; 0 is no bound. */
export interface OutputBound {
  readonly hard: number;
  /** For longer than `seconds` at a time. */
  readonly soft: number;
  readonly seconds: number;
}

/** A server as it describes itself. What it did not say, or this user may not ask, is undefined. */
export interface ServerReport {
  readonly host: string;
  readonly port: number;
  readonly product: 'Redis' | 'Valkey';
  readonly version?: string;
  readonly mode?: string;
  readonly role?: string;
  readonly replicas?: number;
  /** Bytes. */
  readonly usedMemory?: number;
  /** Bytes; 0 is no bound. */
  readonly maxMemory?: number;
  readonly evictionPolicy?: string;
  readonly appendOnly?: boolean;
  /** As `3600 1 300 100`; empty where no snapshots are made. */
  readonly snapshots?: string;
  /** What was last written to disk failed. */
  readonly writeFailed: boolean;
  readonly outputBounds: Readonly<Record<string, OutputBound>>;
  /** Commands that the user may not give, as `+info`: what they would tell is not known. */
  readonly untold: readonly string[];
}

/** What a feature lacks. */
export interface FeatureReport {
  /** As docs/reference/least-rights.md calls it. */
  readonly feature: string;
  /** As `+xadd`, `~disco:x` or `&disco:x`. */
  readonly missing: readonly string[];
}

/** How far away a server is, and how its clock goes. */
export interface ClockReport {
  /** The server that was asked; of a Cluster one of its primaries. */
  readonly host: string;
  readonly port: number;
  /** Of the median of several questions. */
  readonly roundTripMs: number;
  /** How far its clock is ahead of this computer's, as exact as half of a round trip. */
  readonly skewMs: number;
}

const PATIENCE_MS = 5_000;
const QUESTIONS = 9;

/** Asks servers how they are set up. Changes nothing. */
export class ServerDiagnosis {
  constructor(
    private readonly connection: StreamConnection,
    private readonly keys: StreamKeys,
  ) {}

  /** The server, or all primaries of a Cluster. */
  servers(): Promise<ServerReport[]> {
    return this.ask((client) => Promise.all(nodesOf(client).map(describe)));
  }

  /** The name of the ACL user; undefined where that may not be asked. */
  user(): Promise<string | undefined> {
    return this.ask(async (client) => (await allowed(nodesOf(client)[0].acl('WHOAMI')))?.toString());
  }

  /** What the user may not do, feature by feature. A server before 7.0 does not tell. */
  features(): Promise<FeatureReport[]> {
    const { keys } = this;
    const group = keys.group('x', 'x');
    const streams = [group.stream, ...Object.values(group), keys.topics];
    const news = keys.topicNews;
    const needs: Record<string, RightsNeed> = {
      'At most once': { commands: ['PUBLISH', 'SUBSCRIBE'], keys: [], channel: news },
      'How topics are used': { commands: featureCommands.agreements, keys: [keys.uses('x'), group.stream] },
      'Publishing at least once': { commands: featureCommands.publish, keys: streams, channel: news },
      'Subscribing at least once': { commands: featureCommands.consume, keys: streams },
      'Patterns at least once': { commands: featureCommands.patterns, keys: [keys.patterns] },
      'Dead letters': { commands: featureCommands.deadLetters, keys: streams },
      'Removing and counting groups': { commands: featureCommands.removal, keys: streams },
      'Inspecting topics': { commands: featureCommands.inspection, keys: streams },
      'Steering groups and topics': { commands: featureCommands.steering, keys: [...streams, keys.audit] },
      Locks: { commands: lockCommands, keys: [group.stream] },
    };
    return this.ask(async (client) => {
      const found: FeatureReport[] = [];
      for (const [feature, need] of Object.entries(needs)) {
        found.push({ feature, missing: await missingRights(client, need) });
      }
      return found;
    });
  }

  clock(): Promise<ClockReport> {
    return this.ask(async (client) => {
      const asked: { tripMs: number; skewMs: number }[] = [];
      const [node] = nodesOf(client);
      for (let question = 0; question < QUESTIONS; question++) asked.push(await askTime(node));
      asked.sort((one, other) => one.tripMs - other.tripMs);
      return {
        ...placeOf(node),
        roundTripMs: asked[QUESTIONS >> 1].tripMs,
        skewMs: Math.round(asked[0].skewMs),
      };
    });
  }

  private ask<Reply>(question: (client: Redis | Cluster) => Promise<Reply>): Promise<Reply> {
    return persistFor(this.connection, question, PATIENCE_MS);
  }
}

function nodesOf(client: Redis | Cluster): Redis[] {
  return client.isCluster ? (client as Cluster).nodes('master') : [client as Redis];
}

function placeOf({ options: { host = '127.0.0.1', port = 6379 } }: Redis): { host: string; port: number } {
  return { host, port };
}

async function askTime(client: Redis): Promise<{ tripMs: number; skewMs: number }> {
  const [sentMs, sentAt] = [performance.now(), Date.now()];
  const serverMs = await serverTimeMs(client);
  const tripMs = performance.now() - sentMs;
  return { tripMs, skewMs: serverMs - (sentAt + tripMs / 2) };
}

/** What a command answers; undefined where the user may not give it. */
async function allowed<Reply>(command: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await command;
  } catch (error) {
    if (isNotAllowed(error)) return undefined;
    throw error;
  }
}

async function describe(client: Redis): Promise<ServerReport> {
  const info = await allowed(client.info());
  const snapshots = await configured(client, 'save');
  const bounds = await configured(client, 'client-output-buffer-limit');
  const say = (name: string) => new RegExp(`^${name}:([^\\r\\n]*)`, 'm').exec(info ?? '')?.[1];
  const number = (name: string) => (say(name) === undefined ? undefined : Number(say(name)));
  const failed = ['rdb_last_bgsave_status', 'aof_last_write_status', 'aof_last_bgrewrite_status'];
  return {
    ...placeOf(client),
    product: say('valkey_version') === undefined ? 'Redis' : 'Valkey',
    version: say('valkey_version') ?? say('redis_version'),
    mode: say('server_mode') ?? say('redis_mode'),
    role: say('role'),
    replicas: number('connected_slaves'),
    usedMemory: number('used_memory'),
    maxMemory: number('maxmemory'),
    evictionPolicy: say('maxmemory_policy'),
    appendOnly: say('aof_enabled') === undefined ? undefined : say('aof_enabled') === '1',
    snapshots,
    writeFailed: failed.some((name) => say(name) === 'err'),
    outputBounds: boundsOf(bounds),
    untold: [...(info === undefined ? ['+info'] : []), ...(snapshots === undefined ? ['+config|get'] : [])],
  };
}

async function configured(client: Redis, name: string): Promise<string | undefined> {
  const found = (await allowed(client.config('GET', name))) as string[] | undefined;
  return found?.[1];
}

/** `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60` */
function boundsOf(text = ''): Record<string, OutputBound> {
  const found = text.matchAll(/([a-z]+) (\d+) (\d+) (\d+)/g);
  return Object.fromEntries(
    [...found].map(([, name, hard, soft, seconds]) => [
      name,
      { hard: Number(hard), soft: Number(soft), seconds: Number(seconds) },
    ]),
  );
}
