import type { ArgDef, ArgsDef } from 'citty';
import { type Command, commonArgs } from './command.js';
import { aliasOf } from './flags.js';
import type { Paint } from './terminal.js';

/** What `--help` prints for the command at `path`. */
export function helpOf(path: readonly string[], command: Command, paint: Paint): string {
  const own = command.args ?? {};
  const flags = { ...flagsOf(own), ...flagsOf(command.offline ? { help: commonArgs.help } : commonArgs) };
  const words = Object.entries(own).filter(([, { type }]) => type === 'positional');
  const parts: (readonly [title: string, lines: readonly string[]])[] = [
    ['Usage', usageLines(path, command)],
    ['Arguments', columns(words.map(([name, { description = '' }]) => [`<${name}>`, description]))],
    [
      'Commands',
      columns(Object.entries(command.commands ?? {}).map(([name, { summary }]) => [name, summary])),
    ],
    ['Flags', command.run || !command.commands ? columns(Object.entries(flags).map(flagLine)) : []],
    ['Examples', (command.examples ?? []).map((line) => `disco-bus ${line}`)],
  ];
  const told = parts.filter(([, lines]) => lines.length > 0);
  const body = told.map(
    ([title, lines]) => `${paint('bold', title)}\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );
  const details = command.details === undefined ? [] : [command.details];
  return [command.summary, ...details, ...body].join('\n\n');
}

function usageLines(path: readonly string[], { args = {}, commands, run }: Command): string[] {
  const start = ['disco-bus', ...path].join(' ');
  const words = Object.entries(args)
    .filter(([, { type }]) => type === 'positional')
    .map(([name, { required }]) => (required === false ? `[${name}]` : `<${name}>`));
  const own = [start, ...words, '[flags]'].join(' ');
  return [...(run ? [own] : []), ...(commands ? [`${start} <command>`] : [])];
}

function flagsOf(args: ArgsDef): ArgsDef {
  return Object.fromEntries(Object.entries(args).filter(([, { type }]) => type !== 'positional'));
}

function flagLine([name, definition]: [string, ArgDef]): [string, string] {
  const { description = '', valueHint } = definition;
  const letter = aliasOf(definition);
  return [`${letter ? `-${letter}, ` : ''}--${name}${valueHint ? ` <${valueHint}>` : ''}`, description];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}
