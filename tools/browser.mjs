#!/usr/bin/env node
// npm run test:browser -- [spec] [jest's options]: runs test/browser in a real Chromium, which test/support/chromium.sh finds
// or fetches. `npm test` leaves these specs out.
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const script = fileURLToPath(new URL('../test/support/chromium.sh', import.meta.url));
const CHROMIUM_BIN = execFileSync('sh', [script], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  .toString()
  .trim();
const args = process.argv.slice(2);
const spec = args[0] !== undefined && !args[0].startsWith('-') ? args.shift() : '';
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const child = spawn(
  process.execPath,
  [jest, `test/browser/${spec}`, '--testPathIgnorePatterns', '/node_modules/', '--runInBand', ...args],
  { cwd: root, env: { ...process.env, CHROMIUM_BIN }, stdio: 'inherit' },
);
child.once('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
