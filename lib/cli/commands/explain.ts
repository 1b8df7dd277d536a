import { dissentReason, type Reason, reasonsOf } from '../../bus/operate/waiting-reasons.js';
import { lagOf } from '../../driver/inspection.js';
import type { TopicDissent } from '../../driver/topic-agreements.js';
import type { RedisDriver } from '../../drivers/redis/redis.driver.js';
import { type Command, positional, valued } from '../command.js';
import { exitCodes, failureOf } from '../exit-codes.js';
import { groupRow } from '../group-rows.js';
import type { Run } from '../run.js';
import { shownCommand } from '../shown-command.js';
import { count } from '../text.js';

const USUAL_MAX_LENGTH = 1_000_000;

/** `disco-bus explain <topic> <group>` */
export const explain: Command = {
  summary: 'Says why a group does not handle what it has: each reason, and the command that changes it.',
  details:
    'Reasons are another-guarantee, paused, no-member, dead-member, limited, suspect, ordered, busy, retry, full, overdue,\ndelayed, dead-letters; nothing, running and reading where nothing hinders it.',
  examples: ['explain orders billing', 'explain orders billing --json'],
  args: {
    topic: positional('The topic'),
    group: positional('The group'),
    'max-length': valued(
      'entries',
      "What publishers set as streams.maxLength. Default: the driver's, 1000000",
    ),
  },
  run: explained,
};

async function explained(run: Run): Promise<void> {
  const name = run.given.word('topic');
  const maxLength = run.given.whole('max-length', 1) ?? USUAL_MAX_LENGTH;
  const { bus, driver } = await run.session();
  const topic = await bus.inspect.topic(name);
  const group = topic?.groups.find((each) => each.group === run.given.word('group'));
  const dissent = await dissentOf(run, driver, name);
  const others = dissent === undefined ? [] : [dissentReason(name, dissent)];
  if (topic === undefined || group === undefined) {
    if (others.length === 0) await run.group();
    show(run, { topic: name, group: run.given.word('group') }, others);
    return;
  }
  const { groups, server } = driver.diagnosis();
  const [hindrances, servers] = await Promise.all([groups.hindrances(name, group.group), server.servers()]);
  const reasons = [...others, ...reasonsOf({ topic, group, hindrances, servers, maxLength })];
  const { waiting, held, running, retries } = group;
  const head = `"${name}", group "${group.group}": ${count(lagOf(group), 'message')} to handle (${waiting} waiting, ${held} held, ${running} of them running, ${retries} retries)`;
  show(run, groupRow(topic, group), reasons, head);
}

/** Who uses the topic otherwise. Looking notes nothing down; without the right to look it is told that this is not known. */
async function dissentOf(run: Run, driver: RedisDriver, topic: string): Promise<TopicDissent | undefined> {
  try {
    return await driver.agreeOn(topic, { delivery: 'at-least-once' }, 'disco-bus explain', 0);
  } catch (error) {
    const { exitCode, message } = failureOf(error);
    if (exitCode !== exitCodes.rights) throw error;
    run.terminal.tellFailure(`Who else uses the topic is not known: ${message}`);
    return undefined;
  }
}

function show(run: Run, about: object, reasons: readonly Reason[], head?: string): void {
  const told = reasons.map(({ command, ...reason }) => {
    return { ...reason, command: command && shownCommand(command, run.prefix) };
  });
  run.show({ ...about, reasons: told }, () => {
    const { paint } = run.terminal;
    const lines = told.map(({ reason, text, command }) => {
      const line = `${paint('yellow', reason)}: ${text}`;
      return command === undefined ? line : `${line}\n  ${paint('dim', '$')} ${command}`;
    });
    return [...(head === undefined ? [] : [head]), ...lines].join('\n');
  });
}
