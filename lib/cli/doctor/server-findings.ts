import type {
  ClockReport,
  FeatureReport,
  OutputBound,
  ServerReport,
} from '../../drivers/redis/diagnosis/server-diagnosis.js';
import { duration } from '../text.js';
import type { Finding } from './finding.js';

const MIB = 1024 * 1024;
/** Redis' own bound for subscribers: less cuts off those that fall behind for a moment only. */
const LEAST_PUBSUB_BYTES = 32 * MIB;
/** Half of a large page of what is stored. */
const LEAST_REPLY_BYTES = 64 * MIB;
const NEARLY_FULL = 0.9;
const SKEW_MS = 1_000;
const SLOW_TRIP_MS = 20;

/** What there is to say of a server's set-up. */
export function serverFindings(server: ServerReport): Finding[] {
  const looks = [shape, disk, eviction, memory, outputBuffers, untold];
  return looks.flatMap((look) => look(server));
}

function redisCli({ host, port }: Pick<ServerReport, 'host' | 'port'>, command: string): string {
  return `redis-cli -h ${host} -p ${port} ${command}`;
}

function shape(server: ServerReport): Finding[] {
  const { host, port, product, version, mode, role, replicas } = server;
  if (version === undefined) return [];
  const what = [mode, role, replicas === undefined ? undefined : `${replicas} replicas`].filter(Boolean);
  const text = `${product} ${version} at ${host}:${port}${what.length > 0 ? `, ${what.join(', ')}` : ''}`;
  if (role === 'slave') {
    const meaning = 'A replica refuses what is written: nothing can be published, settled or locked there.';
    const commands = [redisCli(server, 'INFO replication')];
    return [{ check: 'server', level: 'problem', text: `${text}: it is a replica`, meaning, commands }];
  }
  const major = Number.parseInt(version, 10);
  if (major < 7) {
    const meaning =
      'Before 7.0 a server does not tell which rights are missing, and group counts are estimates.';
    return [{ check: 'server', level: 'warning', text, meaning }];
  }
  return [{ check: 'server', level: 'ok', text }];
}

function disk(server: ServerReport): Finding[] {
  const { appendOnly, snapshots, writeFailed } = server;
  const check = 'persistence';
  if (writeFailed) {
    const meaning = 'What is accepted from now on is lost when the server restarts.';
    const commands = [redisCli(server, 'INFO persistence')];
    return [{ check, level: 'problem', text: 'The server could not write to its disk', meaning, commands }];
  }
  if (appendOnly) return [{ check, level: 'ok', text: 'An append-only file is kept' }];
  if (appendOnly === undefined || snapshots === undefined) return [];
  const commands = [redisCli(server, 'CONFIG SET appendonly yes'), redisCli(server, 'CONFIG REWRITE')];
  const none = snapshots === '';
  return [
    {
      check,
      level: 'warning',
      text: none ? 'Nothing is written to disk' : `Only snapshots are written to disk (save ${snapshots})`,
      meaning: none
        ? 'When the server restarts, all that is stored is lost: messages, retries, dead letters.'
        : 'When the server restarts, what was accepted after the last snapshot is lost.',
      commands,
    },
  ];
}

function eviction(server: ServerReport): Finding[] {
  const { evictionPolicy: policy, maxMemory } = server;
  const check = 'eviction';
  if (policy === undefined || maxMemory === undefined) return [];
  if (policy === 'noeviction') return [{ check, level: 'ok', text: 'Nothing is evicted (noeviction)' }];
  const commands = [
    redisCli(server, 'CONFIG SET maxmemory-policy noeviction'),
    redisCli(server, 'CONFIG REWRITE'),
  ];
  const text = `The server drops keys when its memory is full (${policy})`;
  if (maxMemory === 0) {
    const meaning = 'Its memory has no bound now; with one, messages could vanish.';
    return [{ check, level: 'note', text, meaning, commands }];
  }
  const all = policy.startsWith('allkeys');
  const meaning = all
    ? 'Messages, retries, dead letters and locks may vanish without a word.'
    : 'What expires may vanish early: locks, ids that publishes are deduplicated by.';
  return [{ check, level: all ? 'problem' : 'warning', text, meaning, commands }];
}

function memory(server: ServerReport): Finding[] {
  const { usedMemory = 0, maxMemory = 0 } = server;
  if (maxMemory === 0) return [];
  const share = usedMemory / maxMemory;
  const text = `${Math.round(share * 100)} % of ${Math.round(maxMemory / MIB)} MiB are used`;
  const check = 'memory';
  if (share < NEARLY_FULL) return [{ check, level: 'ok', text }];
  const meaning = 'A full server refuses what is published at least once, delayed or locked.';
  const commands = [redisCli(server, `CONFIG SET maxmemory ${maxMemory * 2}`)];
  return [{ check, level: share >= 1 ? 'problem' : 'warning', text, meaning, commands }];
}

function outputBuffers(server: ServerReport): Finding[] {
  const { pubsub, normal } = server.outputBounds;
  const findings: Finding[] = [];
  const check = 'output-buffers';
  const tooLow = (bound: OutputBound | undefined, least: number) =>
    bound !== undefined && bound.hard > 0 && bound.hard < least;
  const bytes = ({ hard }: OutputBound) => `${(hard / MIB).toFixed(1)} MiB`;
  if (tooLow(pubsub, LEAST_PUBSUB_BYTES)) {
    findings.push({
      check,
      level: 'warning',
      text: `A subscriber is cut off when ${bytes(pubsub)} wait for it`,
      meaning: 'A subscriber that falls behind for a moment loses messages at most once, told as a gap.',
      commands: [
        redisCli(server, 'CONFIG SET client-output-buffer-limit "pubsub 33554432 8388608 60"'),
        redisCli(server, 'CONFIG REWRITE'),
      ],
    });
  }
  if (tooLow(normal, LEAST_REPLY_BYTES)) {
    findings.push({
      check,
      level: 'warning',
      text: `A client is cut off when a reply has more than ${bytes(normal)}`,
      meaning: 'Reading many large messages at once ends the connection, and begins again, for ever.',
      commands: [
        redisCli(server, 'CONFIG SET client-output-buffer-limit "normal 0 0 0"'),
        redisCli(server, 'CONFIG REWRITE'),
      ],
    });
  }
  if (findings.length > 0 || pubsub === undefined) return findings;
  return [{ check, level: 'ok', text: `Subscribers may leave ${bytes(pubsub)} unread` }];
}

function untold({ untold: missing }: ServerReport): Finding[] {
  if (missing.length === 0) return [];
  return [
    {
      check: 'server',
      level: 'note',
      text: `The user may not ask how the server is set up: ${missing.join(' ')}`,
      meaning: 'Persistence, eviction or output buffers could not be looked at.',
    },
  ];
}

/** What there is to say of the distance to the server, and of its clock. */
export function clockFindings(report: ClockReport): Finding[] {
  const { roundTripMs, skewMs } = report;
  const trip = `A question takes ${roundTripMs.toFixed(1)} ms`;
  const skew = `The clocks of the server and of this computer differ by ${duration(Math.abs(skewMs))}`;
  const slow = roundTripMs > SLOW_TRIP_MS;
  const wrong = Math.abs(skewMs) > SKEW_MS;
  return [
    {
      check: 'round-trip',
      level: slow ? 'warning' : 'ok',
      text: trip,
      ...(slow && {
        meaning: 'Every publish, and every settled message of a quiet topic, waits so long.',
        commands: [redisCli(report, '--latency')],
      }),
    },
    {
      check: 'clock',
      level: wrong ? 'warning' : 'ok',
      text: skew,
      ...(wrong && {
        meaning: 'Delays and retries go by the server’s clock, times in messages by the publisher’s.',
        commands: [redisCli(report, 'TIME'), 'chronyc tracking'],
      }),
    },
  ];
}

/** What the user may not do. */
export function rightsFindings(features: readonly FeatureReport[], user: string | undefined): Finding[] {
  const lacking = features.filter(({ missing }) => missing.length > 0);
  const who = user === undefined ? 'The user' : `The user "${user}"`;
  if (lacking.length === 0)
    return [{ check: 'rights', level: 'ok', text: `${who} has the rights for all features` }];
  return lacking.map(({ feature, missing }) => ({
    check: 'rights',
    level: 'warning',
    text: `${who} lacks rights for "${feature}": ${missing.join(' ')}`,
    meaning:
      'A service with this user fails when it first uses that; docs/reference/least-rights.md has the rules of each.',
    commands: [`redis-cli ACL SETUSER ${user ?? '<user>'} ${missing.map((rule) => `'${rule}'`).join(' ')}`],
  }));
}
