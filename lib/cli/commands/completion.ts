import type { ArgsDef } from 'citty';
import { type Command, commonArgs, positional } from '../command.js';
import { usageError } from '../exit-codes.js';

/** `disco-bus completion <shell>`, for all that `root` has. */
export function completionFor(root: () => Command): Command {
  return {
    summary: 'Prints what a shell completes commands and flags by.',
    details:
      'bash: source <(disco-bus completion bash). zsh: the same, with zsh. fish: disco-bus completion fish | source.',
    examples: ['completion bash > /etc/bash_completion.d/disco-bus'],
    args: { shell: positional('bash, zsh or fish') },
    offline: true,
    run: async ({ given, terminal }) => {
      const write = { bash, zsh, fish }[given.word('shell')];
      if (write === undefined) throw usageError('shell must be bash, zsh or fish');
      terminal.out(write(placesOf(root(), [])));
    },
  };
}

/** Where words can be completed: a path of commands, and what may come behind it. */
interface Place {
  readonly path: readonly string[];
  readonly commands: readonly (readonly [name: string, summary: string])[];
  readonly flags: readonly (readonly [name: string, description: string])[];
}

function placesOf(command: Command, path: readonly string[]): Place[] {
  const commands = Object.entries(command.commands ?? {});
  const args: ArgsDef = { ...command.args, ...(command.offline ? { help: commonArgs.help } : commonArgs) };
  const flags = Object.entries(args).filter(([, { type }]) => type !== 'positional');
  const own: Place = {
    path,
    commands: commands.map(([name, { summary }]) => [name, summary]),
    flags: flags.map(([name, { description = '' }]) => [name, description]),
  };
  return [own, ...commands.flatMap(([name, each]) => placesOf(each, [...path, name]))];
}

function bash(places: readonly Place[]): string {
  const deeper = places.filter(({ path }) => path.length > 0).map(({ path }) => `"${path.join(' ')}"`);
  const cases = places.map(({ path, commands, flags }) => {
    const words = [...commands.map(([name]) => name), ...flags.map(([name]) => `--${name}`)];
    return `    "${path.join(' ')}") words="${words.join(' ')}" ;;`;
  });
  return `_disco_bus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    local next="\${path:+$path }\${COMP_WORDS[index]}"
    case "$next" in
      ${deeper.join('|')}) path="$next" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _disco_bus disco-bus`;
}

function zsh(places: readonly Place[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bash(places)}`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, flags }) => {
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
    const here = path.length === 0 ? '__fish_use_subcommand' : seen.join('; and ');
    const names = commands.map(([name, text]) => line(`-n '${here}' -f -a ${name}`, text));
    return [...names, ...flags.map(([name, text]) => line(`-n '${here}' -l ${name}`, text))];
  });
  return lines.join('\n');
}

function line(condition: string, text: string): string {
  return `complete -c disco-bus ${condition} -d '${text.replace(/['\\]/g, '\\$&')}'`;
}
