import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const root = join(__dirname, '../..');

/** The rules of an ACL user under a heading of docs/reference/least-rights.md, without its name and password: `~disco:*`, `+ping` … */
export function documentedRules(heading: string): string[] {
  const line = /^ACL SETUSER app (.+)$/m.exec(documentedSection(heading))?.[1];
  if (line === undefined) throw new Error(`docs/reference/least-rights.md has no rules for "${heading}"`);
  return line.split(' ').filter((word) => word !== 'on' && !word.startsWith('>'));
}

/** The user that the documented rules are given to, in tests. */
export const leastUser = { username: 'app', password: 'pw' } as const;

/** Whether the whole run is under the documented rights (`npm run test:acl`). */
export const underLeastRights = process.env.TEST_ACL === '1';

/**
 * What a redis-server is started with to know that user: the rights for everything, those for another database, replicas and
 * a Cluster, and what least-rights-specs.json adds for the spec that runs.
 */
export function leastUserArgs(specPath: string | undefined): string[] {
  const everything = documentedRules('Everything');
  const further = documentedSection('Further set-ups').match(/\+(?:select|wait|cluster\|[a-z]+)/g) ?? [];
  const { rules = [], prefixes = [] } = specOf(specPath) ?? {};
  const patterns = everything.filter((rule) => /^[~&]disco:/.test(rule));
  const own = prefixes.flatMap((prefix) => patterns.map((rule) => rule.replace('disco:', `${prefix}:`)));
  const { username, password } = leastUser;
  return [
    '--user',
    username,
    'on',
    `>${password}`,
    ...new Set([...everything, ...further, ...own, ...rules]),
  ];
}

interface SpecRights {
  readonly reason: string;
  /** What else stands for `disco` in the documented patterns of keys and channels. */
  readonly prefixes?: readonly string[];
  readonly rules?: readonly string[];
}

function specOf(path: string | undefined): SpecRights | undefined {
  if (path === undefined) return undefined;
  const specs = JSON.parse(readFileSync(join(__dirname, 'least-rights-specs.json'), 'utf8'));
  return specs[relative(root, path).split(sep).join('/')];
}

function documentedSection(heading: string): string {
  const text = readFileSync(join(root, 'docs/reference/least-rights.md'), 'utf8');
  return text.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
}
