import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundledProgram } from '../support/source-process.js';

const root = join(__dirname, '..', '..');
const run = promisify(execFile);

/** What the application writes until it has been up for 3 s. */
async function output(env: Record<string, string>): Promise<string> {
  const program = bundledProgram(join(__dirname, 'fixtures', 'hooks.ts'));
  const { stdout, stderr } = await run(process.execPath, [program], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', NODE_ENV: '', ...env },
    timeout: 60_000,
  });
  expect(stdout).toContain('looked');
  return stdout + stderr;
}

const warning = /Nothing listens to SIGTERM.*Call app\.enableShutdownHooks\(\)/g;

describe('An application in a process of its own', () => {
  it.concurrent.each([
    { KIND: 'module', HOOKS: 'none', lines: 1 },
    { KIND: 'microservice', HOOKS: 'none', lines: 1 },
    { KIND: 'module', HOOKS: 'late', lines: 0 },
    { KIND: 'microservice', HOOKS: 'late', lines: 0 },
    { KIND: 'module', HOOKS: 'own', lines: 0 },
    { KIND: 'module', HOOKS: 'closed', lines: 0 },
    { KIND: 'microservice', HOOKS: 'closed', lines: 0 },
    { KIND: 'no handler', HOOKS: 'none', lines: 0 },
    { KIND: 'module', HOOKS: 'none', NODE_ENV: 'test', lines: 0 },
  ])(
    'is told of shutdown hooks that are missing: $KIND, hooks $HOOKS, $lines lines',
    async ({ lines, ...env }) => {
      expect((await output(env as Record<string, string>)).match(warning) ?? []).toHaveLength(lines);
    },
    60_000,
  );
});
