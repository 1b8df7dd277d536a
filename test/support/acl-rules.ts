import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The rules of an ACL user under a heading of docs/least-rights.md, without its name and password: `~disco:*`, `+ping` … */
export function documentedRules(heading: string): string[] {
  const text = readFileSync(join(__dirname, '../../docs/least-rights.md'), 'utf8');
  const section = text.split(`## ${heading}\n`)[1]?.split('\n## ')[0];
  const line = /^ACL SETUSER app (.+)$/m.exec(section ?? '')?.[1];
  if (line === undefined) throw new Error(`docs/least-rights.md has no rules for "${heading}"`);
  return line.split(' ').filter((word) => word !== 'on' && !word.startsWith('>'));
}

/** The user that the documented rules are given to, in tests. */
export const leastUser = { username: 'app', password: 'pw' } as const;
