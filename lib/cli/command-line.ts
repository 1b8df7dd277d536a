import { defineCommand, runCommand } from 'citty';
import { VERSION } from '../driver/package-version.js';
import { nearestName } from '../errors/nearest-name.js';
import { type Command, commonArgs } from './command.js';
import { completionFor } from './commands/completion.js';
import { commands } from './commands/index.js';
import { exitCodes, failureOf, usageError } from './exit-codes.js';
import { assertArguments, isFlag } from './flags.js';
import { Given } from './given.js';
import { helpOf } from './help.js';
import { Run } from './run.js';
import { type Terminal } from './terminal.js';
import { limited } from './watching.js';

export const root: Command = {
  summary: 'Looks at and steers what a bus keeps in Redis.',
  details:
    'Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 rights,\n5 server away, 6 threshold crossed, 7 contract broken, 130 Ctrl-C.',
  examples: ['topics', 'lag --watch', 'explain orders billing', 'doctor'],
  commands: { ...commands, completion: completionFor(() => root) },
};

/** Runs the command that `words` name, and resolves with what the process is to end with. Never rejects. */
export async function runCommandLine(
  words: readonly string[],
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<number> {
  const signal = AbortSignal.any([interrupted, terminal.closed.signal]);
  const ended = (): number | undefined => {
    if (terminal.closed.signal.aborted) return exitCodes.ok;
    return interrupted.aborted ? exitCodes.interrupted : undefined;
  };
  try {
    const exitCode = await dispatched(words, terminal, signal);
    return ended() ?? exitCode;
  } catch (error) {
    const { exitCode, message } = failureOf(error);
    if (ended() === undefined) terminal.tellFailure(message);
    return ended() ?? exitCode;
  }
}

async function dispatched(
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  if (words.length === 1 && words[0] === '--version') {
    terminal.out(VERSION);
    return exitCodes.ok;
  }
  const { path, command, rest } = commandOf(words);
  const before = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (before.includes('--help') || before.includes('-h')) {
    terminal.out(helpOf(path, command, terminal.paint));
    return exitCodes.ok;
  }
  const { run: body, offline, patienceMs = 0 } = command;
  if (body === undefined) throw unknownCommand(path, command, rest);
  const args = { ...command.args, ...(offline ? { help: commonArgs.help } : commonArgs) };
  assertArguments(rest, args);
  let exitCode: number = exitCodes.ok;
  const leaf = defineCommand({
    args,
    run: async ({ args: parsed }) => {
      const run = new Run(new Given(parsed as Record<string, unknown>), terminal, signal);
      try {
        await runLimited(run, body, patienceMs);
      } finally {
        await run.close();
      }
      exitCode = run.exitCode;
    },
  });
  await runCommand(leaf, { rawArgs: [...rest] });
  return exitCode;
}

async function runLimited(run: Run, body: NonNullable<Command['run']>, patienceMs: number): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    run.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const endless = patienceMs === Number.POSITIVE_INFINITY || run.given.has('watch');
  const work = endless ? body(run) : limited(run, () => body(run), patienceMs);
  await Promise.race([work, aborted]);
  // What is still under way fails with its connection.
  if (run.signal.aborted) work.catch(() => undefined);
}

/** The command that is meant, its path, and all words beside the path. Flags may stand before it. */
function commandOf(words: readonly string[]) {
  const path: string[] = [];
  const rest: string[] = [];
  let command = root;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at];
    if (word === '--') break;
    if (isFlag(word)) {
      rest.push(word);
      if (takesValue(word) && at + 1 < words.length) rest.push(words[++at]);
      continue;
    }
    const next = Object.hasOwn(command.commands ?? {}, word) ? command.commands?.[word] : undefined;
    if (next === undefined) break;
    path.push(word);
    command = next;
  }
  return { path, command, rest: [...rest, ...words.slice(at)] };
}

function takesValue(word: string): boolean {
  const name = word.replace(/^--?/, '');
  const all = (command: Command): boolean =>
    command.args?.[name]?.type === 'string' || Object.values(command.commands ?? {}).some(all);
  const common: Record<string, { type?: string }> = commonArgs;
  return !word.includes('=') && (common[name]?.type === 'string' || all(root));
}

function unknownCommand(path: readonly string[], { commands: known = {} }: Command, rest: readonly string[]) {
  const name = rest.find((word) => !isFlag(word));
  const start = ['disco-bus', ...path].join(' ');
  if (name === undefined) return usageError(`Say which command: ${start} --help lists them`);
  const near = nearestName(name, Object.keys(known));
  const hint = near === undefined ? `${start} --help lists them` : `did you mean "${near}"?`;
  return usageError(`There is no command "${name}"; ${hint}`);
}
