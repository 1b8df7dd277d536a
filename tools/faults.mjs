#!/usr/bin/env node
// npm run test:faults -- [suite] [--json]: runs test/faults/<suite>-*.spec.ts against real servers with injected faults.
// Every case prints one line of JSON; with --json nothing else is printed. FULL=1 runs the full sizes, else a tenth.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const json = args.includes('--json');
const suite = args.find((arg) => !arg.startsWith('-'));
const specs = readdirSync(join(root, 'test/faults')).filter((file) => file.endsWith('.spec.ts'));
const suites = [...new Set(specs.map((file) => file.split('-')[0].replace('.spec.ts', '')))];

if (suite !== undefined && !suites.includes(suite)) {
  process.stderr.write(`There is no suite "${suite}". Suites: ${suites.join(', ')}\n`);
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'disco-faults-'));
const reportFile = join(directory, 'report.ndjson');
writeFileSync(reportFile, '');
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const pattern = suite === undefined ? 'test/faults/' : `test/faults/${suite}[-.]`;
const child = spawn(process.execPath, [jest, pattern, '--runInBand'], {
  cwd: root,
  env: { ...process.env, DISCO_FAULTS_REPORT: reportFile },
  stdio: json ? 'ignore' : 'inherit',
});
child.once('exit', (code, signal) => {
  if (json) process.stdout.write(readFileSync(reportFile));
  rmSync(directory, { recursive: true, force: true });
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
