import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

/** Runs a sample as `npm run sample <name>` does, and resolves with what it printed and its exit code. */
export function runSample(
  name: string,
  env: Record<string, string> = {},
): Promise<{ output: string; code: number | null }> {
  const { DISCO_BUS_URL: _url, ...inherited } = process.env;
  const child = spawn(process.execPath, [join(root, 'tools', 'sample.mjs'), name], {
    cwd: root,
    env: { ...inherited, NO_COLOR: '1', ...env },
    timeout: 60_000,
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => child.once('close', (code) => resolve({ output, code })));
}
