import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** Where a service's name comes from. */
export type ServiceSource = 'given' | 'package' | 'default';

/** The name of a service that has none, and lies in no package. */
const LAST_RESORT = 'default';

/**
 * The name of this service: the one given, else the name in the package.json nearest to the program that runs, or, for
 * what a tool in node_modules runs, nearest to the working directory.
 */
export function resolveService(given: string | undefined): { service: string; source: ServiceSource } {
  if (given !== undefined) return { service: given, source: 'given' };
  packageName ??= nearestPackageName() ?? '';
  return packageName === ''
    ? { service: LAST_RESORT, source: 'default' }
    : { service: packageName, source: 'package' };
}

let packageName: string | undefined;

function nearestPackageName(): string | undefined {
  const program = process.argv[1];
  // A runner's own package says nothing of what it runs. The working directory counts then alone: a program that lies in no
  // package must not change its name with the directory it is started in.
  const isRun = program === undefined || program.includes(`${sep}node_modules${sep}`);
  return nameAbove(isRun ? process.cwd() : dirname(resolve(program)));
}

function nameAbove(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, 'package.json');
    if (existsSync(file)) {
      const name = nameIn(file);
      if (name !== undefined) return name;
    }
    if (at === dirname(at)) return undefined;
  }
}

/** `@acme/billing` becomes `acme.billing`: the name is part of keys. Undefined for a package without a fitting one. */
function nameIn(file: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown };
    if (typeof name !== 'string') return undefined;
    const fitting = name
      .replace(/^@/, '')
      .replaceAll('/', '.')
      .replace(/[^A-Za-z0-9._:-]/g, '-')
      .slice(0, 100);
    return /^[A-Za-z0-9]/.test(fitting) ? fitting : undefined;
  } catch {
    return undefined;
  }
}
