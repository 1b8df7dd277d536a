// npm run test:servers -- [--quick] [--maxWorkers=1] [path…]: runs the integration and contract specs on this machine's
// redis-server, on Redis 8.6 and on Valkey 9.1, or on the servers at the given paths alone. --quick: contract and streams.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchServers } from './servers/fetch-servers.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'node_modules/.cache/servers');
const args = process.argv.slice(2);
const paths = args.filter((arg) => !arg.startsWith('-'));
const workers = args.filter((arg) => arg.startsWith('--maxWorkers='));
const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--quick' && !workers.includes(arg));
if (unknown !== undefined) {
  process.stderr.write(
    `There is no option "${unknown}". Options: --quick, --maxWorkers=<count>, paths of servers\n`,
  );
  process.exit(2);
}
const specs = [
  'test/contract/',
  args.includes('--quick') ? 'test/integration/streams/' : 'test/integration/',
];

mkdirSync(folder, { recursive: true });
let failed = false;
for (const server of paths.length > 0 ? paths.map(named) : await allServers()) {
  const started = Date.now();
  const { label } = server;
  const told = await run(server);
  failed ||= !told.ok;
  process.stdout.write(`${label}: ${told.text} in ${Math.round((Date.now() - started) / 1_000)} s\n`);
}
process.exitCode = failed ? 1 : 0;

async function allServers() {
  const script = join(root, 'test/support/redis-server.sh');
  const own = execFileSync('sh', [script], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const servers = [described(own.toString().trim())];
  try {
    servers.push(...(await fetchServers(folder)));
  } catch (error) {
    failed = true;
    process.stdout.write(`Redis 8.6 and Valkey 9.1: not run, ${error.message}\n`);
  }
  return servers;
}

function named(path) {
  try {
    return described(path);
  } catch (error) {
    process.stderr.write(`${path} is no server that runs here: ${error.message}\n`);
    return process.exit(2);
  }
}

/** A server as it calls itself: `Redis 7.0.15`. */
function described(binary) {
  const text = execFileSync(binary, ['--version']).toString();
  const [, name, version] = /^(\w+) server v=(\S+)/.exec(text) ?? [];
  return { label: name === undefined ? binary : `${name} ${version}`, binary };
}

/** Runs the specs on one server; what jest prints goes into a file, which is named when something failed. */
async function run({ label, binary }) {
  const base = join(folder, label.replaceAll(/[^\w.]+/g, '-').toLowerCase());
  const [report, log] = [`${base}.json`, `${base}.log`];
  rmSync(report, { force: true });
  const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
  const output = openSync(log, 'w');
  // A test that fails may leave a connection open, which must not keep the next server from its turn.
  const options = ['--forceExit', '--json', `--outputFile=${report}`, ...workers];
  const child = spawn(process.execPath, [jest, ...specs, ...options], {
    cwd: root,
    env: { ...process.env, REDIS_SERVER_BIN: binary },
    stdio: ['ignore', 'ignore', output],
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  return { ok: code === 0, text: verdict(report, log, code) };
}

function verdict(report, log, code) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return `jest ended with ${code} and no report (${relative(root, log)})`;
  }
  const { numPassedTests: passed, numFailedTests: fails, numRuntimeErrorTestSuites: broken } = results;
  const files = results.testResults.filter(({ status }) => status === 'failed');
  const suites = files.map(({ name }) => relative(root, name)).join(', ');
  const more = broken > 0 ? `, ${broken} files not run` : '';
  const where = code === 0 ? '' : ` (${suites}; ${relative(root, log)})`;
  return `${passed} passed, ${fails} failed${more}${where}`;
}
