const containers = new Set(['XGROUP', 'XINFO', 'MEMORY']);
/** Used where there is one, and done without where not. */
const optional = new Set(['XACKDEL', 'PUBLISH']);
const called = /\bp?call\('([A-Z]+)'(?:, '([A-Z]+)')?/g;

/** The commands that Lua scripts cannot do without, as `'XADD'` or `'XGROUP CREATE'`, and those by which a script is run; sorted. */
export function commandsOf(...scripts: readonly string[]): string[] {
  const found = new Set(['EVAL', 'EVALSHA']);
  for (const script of scripts) {
    for (const [, command, subcommand] of script.matchAll(called)) {
      if (optional.has(command)) continue;
      found.add(containers.has(command) ? `${command} ${subcommand}` : command);
    }
  }
  return [...found].sort();
}
