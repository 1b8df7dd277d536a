// npm run test:acl -- [spec…] [jest's options]: runs the integration and contract specs with every connection of the
// package under exactly the rights that docs/reference/least-rights.md names for everything. Specs that need more are printed.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const given = process.argv.slice(2);
const specs = JSON.parse(readFileSync(join(root, 'test/support/least-rights-specs.json'), 'utf8'));
const gone = Object.keys(specs).filter((path) => !existsSync(join(root, path)));
if (gone.length > 0) {
  process.stderr.write(`test/support/least-rights-specs.json names what is not there: ${gone.join(', ')}\n`);
  process.exit(2);
}

const named = given.some((arg) => !arg.startsWith('-'));
const paths = named ? [] : ['test/integration/', 'test/contract/'];
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const setup = '--setupFiles=<rootDir>/test/support/least-rights-setup.ts';
const child = spawn(process.execPath, [jest, ...paths, ...given, setup], {
  cwd: root,
  env: { ...process.env, TEST_ACL: '1' },
  stdio: 'inherit',
});
child.once('exit', (code, signal) => {
  const lines = Object.entries(specs).map(told).join('\n');
  process.stdout.write(`\nRun with more than the documented rights:\n${lines}\n`);
  process.exitCode = signal === null ? (code ?? 1) : 1;
});

function told([path, { reason, prefixes = [], rules = [] }]) {
  const own = prefixes.flatMap((prefix) => [`~${prefix}:*`, `&${prefix}:*`]);
  return `  ${path}: ${[...own, ...rules].join(' ')} (${reason})`;
}
