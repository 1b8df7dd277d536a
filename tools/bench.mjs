// npm run bench -- <suite | all> [--json] [--quick]: measures this library against its peers on a redis-server of its own.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { suites } = await import('../bench/suites/index.mjs');

const { names, quick, json } = readArguments();
const unbuilt = names.filter((name) => suites[name] === null);
if (unbuilt.length > 0) stop(`Suite not built yet: ${unbuilt.join(', ')}. Built: ${built().join(', ')}.`);
if (!process.env.BENCH_LIBRARY) buildLibrary();
if (names.some((name) => suites[name].peers)) installPeers();

const { Bench } = await import('../bench/harness/bench.mjs');
const { table } = await import('../bench/harness/report.mjs');
const rows = [];
for (const name of names) {
  const bench = new Bench({ quick, say: (text) => say(`${name}: ${text}`) });
  const { run } = await suites[name].load();
  try {
    rows.push(...(await run(bench)));
  } finally {
    await bench.close();
  }
}
say('');
const text = table(rows);
if (quick) console.error('A quick run proves that the bench works; its figures are too noisy to judge by.');
if (json) {
  console.error(text);
  for (const row of rows) console.log(JSON.stringify(row));
} else console.log(text);

function readArguments() {
  try {
    const options = { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const [name, ...more] = positionals;
    if (!name || more.length > 0) throw new Error('Name one suite, or all');
    if (name !== 'all' && !Object.hasOwn(suites, name)) throw new Error(`There is no suite "${name}"`);
    return { names: name === 'all' ? built() : [name], ...values };
  } catch (error) {
    const usage = 'Usage: npm run bench -- <suite | all> [--json] [--quick]';
    return stop(`${error.message}.\n${usage}\nSuites: ${Object.keys(suites).join(', ')}`);
  }
}

function built() {
  return Object.keys(suites).filter((name) => suites[name] !== null);
}

/** The library under test is the built one. */
function buildLibrary() {
  const entry = join(root, 'dist/index.js');
  if (existsSync(entry) && statSync(entry).mtimeMs >= newest(join(root, 'lib'))) return;
  say('building the library');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
}

function newest(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Math.max(
    ...files
      .filter((file) => file.isFile())
      .map((file) => statSync(join(file.parentPath, file.name)).mtimeMs),
  );
}

/** Installs the versions of the lock file, unless what npm installed there last is at least as new. */
function installPeers() {
  const installed = join(root, 'bench/node_modules/.package-lock.json');
  const asked = join(root, 'bench/package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(asked).mtimeMs) return;
  say('installing what is compared with (npm ci --prefix bench)');
  execFileSync('npm', ['ci', '--prefix', 'bench', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
}

/** The progress: one line that is written over on a terminal. */
function say(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
  else if (text) process.stderr.write(`${text}\n`);
}

function stop(text) {
  console.error(text);
  process.exit(1);
}
