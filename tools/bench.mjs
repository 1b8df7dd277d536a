// npm run bench -- <suite | all>: measures this library against its peers on a redis-server of its own. See bench/README.md.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { baselineOf, compare, told, vanished } from '../bench/harness/compare.mjs';
import { plotsOf } from '../bench/harness/plots.mjs';
import { line, table } from '../bench/harness/report.mjs';
import { keepResults, keptResults, plotFile } from '../bench/harness/results.mjs';
import { suites } from '../bench/suites/index.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const baselineFile = join(root, 'bench/baseline.json');
const usage = 'Usage: npm run bench -- <suite | all> [--quick | --compare] [--json], or all --svg --baseline';

const { names, quick, json, svg, baseline, compare: compares } = readArguments();
if (svg || baseline) useResults();
else await measureAll();

function readArguments() {
  try {
    const flags = ['quick', 'json', 'compare', 'svg', 'baseline'];
    const options = Object.fromEntries(flags.map((flag) => [flag, { type: 'boolean', default: false }]));
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const [name, ...more] = positionals;
    if (!name || more.length > 0) throw new Error('Name one suite, or all');
    if (name !== 'all' && !Object.hasOwn(suites, name)) throw new Error(`There is no suite "${name}"`);
    if (values.quick && values.compare) throw new Error('A quick run is too noisy to be compared');
    if (
      (values.svg || values.baseline) &&
      (name !== 'all' || values.quick || values.json || values.compare)
    ) {
      throw new Error('--svg and --baseline measure nothing: they use what is kept of all suites');
    }
    return { names: name === 'all' ? Object.keys(suites) : [name], ...values };
  } catch (error) {
    return stop(`${error.message}.\n${usage}\nSuites: ${Object.keys(suites).join(', ')}`);
  }
}

/** Draws, or takes as the baseline, what full runs have kept. */
function useResults() {
  const results = keptResults();
  const present = names.filter((name) => name in results);
  const missing = names.filter((name) => !(name in results));
  if (present.length === 0) stop('bench/results is empty: run the suites in full first.');
  if (missing.length > 0) console.error(`Not measured in full yet, so left out: ${missing.join(', ')}.`);
  const rows = present.flatMap((name) => results[name].rows);
  if (baseline) writeFileSync(baselineFile, `${JSON.stringify(baselineOf(rows), null, 2)}\n`);
  if (!svg) return;
  const ordered = Object.fromEntries(present.map((name) => [name, results[name]]));
  for (const [name, text] of Object.entries(plotsOf(ordered))) writeFileSync(plotFile(name), text);
}

async function measureAll() {
  if (compares && !existsSync(baselineFile)) stop('There is no bench/baseline.json to compare with.');
  if (!process.env.BENCH_LIBRARY) buildLibrary();
  if (names.some((name) => suites[name].peers)) installPeers();
  const rows = [];
  for (const name of names) rows.push(...(await measure(name)));
  say('');
  print(rows);
  if (compares) judge(rows);
}

async function measure(name) {
  // Only now: what it imports may have been built and installed a moment ago.
  const { Bench } = await import('../bench/harness/bench.mjs');
  const { run } = await suites[name].load();
  const bench = new Bench({ quick, say: (text) => say(`${name}: ${text}`) });
  try {
    const rows = await run(bench);
    const { version } = bench;
    if (!quick && !compares && !process.env.BENCH_LIBRARY) keepResults(name, rows, version);
    return rows;
  } finally {
    await bench.close();
  }
}

function print(rows) {
  const text = table(rows);
  if (quick) console.error('A quick run proves that the bench works; its figures are too noisy to judge by.');
  if (json) {
    console.error(text);
    for (const row of rows) console.log(line(row));
  } else console.log(text);
}

/** Ends with 1 when a ratio is worse than the baseline's beyond noise, or is not measured any more. */
function judge(rows) {
  const before = JSON.parse(readFileSync(baselineFile, 'utf8'));
  const comparison = compare(before, rows);
  const lost = vanished(before, rows);
  console.error(told(comparison).join('\n'));
  for (const name of lost) console.error(`  in the baseline, but not measured: ${name}`);
  if (lost.length > 0 || comparison.some(({ regressed }) => regressed)) process.exitCode = 1;
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
