#!/usr/bin/env node
import { runCommandLine } from './command-line.js';
import { Terminal } from './terminal.js';

const { stdin, stdout, stderr, env, argv } = process;
const terminal = new Terminal({ stdin, stdout, stderr }, env);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupted.abort());
}
// The exit code alone is set: what is printed goes out before the process ends.
process.exitCode = await runCommandLine(argv.slice(2), terminal, interrupted.signal);
stdin.unref?.();
