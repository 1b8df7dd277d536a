// What full runs measured, kept as bench/results/<suite>.json.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const folder = new URL('../results/', import.meta.url);

/** Keeps the rows of a suite, with the day and what they were measured on. */
export function keepResults(suite, rows, redisVersion) {
  mkdirSync(folder, { recursive: true });
  const result = { suite, date: new Date().toISOString().slice(0, 10), machine: machine(redisVersion), rows };
  writeFileSync(new URL(`${suite}.json`, folder), `${JSON.stringify(result, null, 2)}\n`);
}

/** What is kept, by suite; empty before the first full run. */
export function keptResults() {
  mkdirSync(folder, { recursive: true });
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return Object.fromEntries(
    files.map((file) => [
      file.slice(0, -'.json'.length),
      JSON.parse(readFileSync(new URL(file, folder), 'utf8')),
    ]),
  );
}

/** Where the plot of that name belongs. */
export function plotFile(name) {
  return fileURLToPath(new URL(`${name}.svg`, folder));
}

function machine(redis) {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
    redis,
    library: revision(),
  };
}

/** The commit that was measured; undefined outside of a repository. */
function revision() {
  try {
    const git = (...args) => execFileSync('git', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
    return git('rev-parse', '--short', 'HEAD').toString().trim();
  } catch {
    return undefined;
  }
}
