import { type Command, valued } from '../command.js';
import { type Finding, type Level, levels } from '../doctor/finding.js';
import { clockFindings, rightsFindings, serverFindings } from '../doctor/server-findings.js';
import { type TopicLook, topicFindings, versionFindings } from '../doctor/topic-findings.js';
import { exitCodes, failureOf, isAway } from '../exit-codes.js';
import { lookAt } from '../looking.js';
import type { Run } from '../run.js';
import { shownCommand } from '../shown-command.js';
import { printable, type Tone } from '../terminal.js';

const USUAL_ABANDONED_MS = 60_000;
const USUAL_MAX_LENGTH = 1_000_000;
const tones: Record<Level, Tone> = { ok: 'green', note: 'cyan', warning: 'yellow', problem: 'red' };

/** `disco-bus doctor` */
export const doctor: Command = {
  summary: 'Looks for what is wrong, or will be: server, rights, clocks, topics, groups.',
  details:
    'Each finding says what it means and which commands mend it. The exit code is 6 when one is a problem, or as bad as\n--fail-on says. What the user may not ask is told, and left out.',
  examples: ['doctor', 'doctor --fail-on warning --json'],
  args: {
    'fail-on': valued('warning|problem|never', 'Exit code 6 from which level on. Default: problem'),
    'abandoned-after': valued('duration', 'A group without members for so long is abandoned. Default: 1m'),
    'max-length': valued(
      'entries',
      "What publishers set as streams.maxLength. Default: the driver's, 1000000",
    ),
  },
  patienceMs: 30_000,
  run: examine,
};

async function examine(run: Run): Promise<void> {
  const failOn = run.given.choice('fail-on', ['warning', 'problem', 'never']) ?? 'problem';
  const look: TopicLook = {
    abandonedMs: run.given.durationMs('abandoned-after') ?? USUAL_ABANDONED_MS,
    maxLength: run.given.whole('max-length', 1) ?? USUAL_MAX_LENGTH,
    command: (...words) => shownCommand(words, run.prefix),
  };
  const { driver } = await run.session();
  const { server } = driver.diagnosis();
  const findings = [
    ...(await found('server', async () => (await server.servers()).flatMap(serverFindings))),
    ...(await found('rights', async () => rightsFindings(await server.features(), await server.user()))),
    ...(await found('clock', async () => clockFindings(await server.clock()))),
    ...(await found('topics', () => ofTopics(run, look))),
  ].sort((one, other) => levels.indexOf(other.level) - levels.indexOf(one.level));
  run.show(findings, () => findings.map((finding) => textOf(finding, run)).join('\n'));
  const worst = levels.indexOf(findings[0]?.level ?? 'ok');
  const isBad = failOn !== 'never' && worst >= levels.indexOf(failOn);
  run.exitCode = isBad ? exitCodes.threshold : exitCodes.ok;
}

async function ofTopics(run: Run, look: TopicLook): Promise<Finding[]> {
  const { topics, unreadable } = await lookAt(run, undefined);
  const foreign = unreadable.map(
    ({ topic, error }): Finding => ({
      check: 'unreadable',
      level: 'problem',
      topic,
      text: `The topic cannot be read: ${error}`,
      meaning: 'Another program has a key of that name: nothing can be published there at least once.',
    }),
  );
  return [
    ...foreign,
    ...topics.flatMap((topic) => topicFindings(topic, look)),
    ...versionFindings(topics, look),
  ];
}

/** What cannot be looked at is a finding, too. */
async function found(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (isAway(error)) throw error;
    const { message } = failureOf(error);
    return [{ check, level: 'warning', text: `This could not be looked at: ${message}` }];
  }
}

function textOf({ check, level, topic, group, text, meaning, commands = [] }: Finding, run: Run): string {
  const { paint } = run.terminal;
  const place = topic === undefined ? '' : `"${topic}"${group === undefined ? '' : `, group "${group}"`}: `;
  const lines = [
    `${paint(tones[level], level.padEnd(7))}  ${check}: ${printable(place + text)}`,
    ...(meaning === undefined ? [] : [`         ${meaning}`]),
    ...commands.map((command) => `         ${paint('dim', '$')} ${command}`),
  ];
  return lines.join('\n');
}
