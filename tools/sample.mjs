// npm run sample <name> [-- args]: runs sample/<NN->name/main.ts from source, no build step.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folders = readdirSync(join(root, 'sample'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();
const [name, ...args] = process.argv.slice(2);
const folder = folders.find((candidate) => candidate === name || candidate.replace(/^\d+-/, '') === name);

if (!folder) {
  console.error(`Usage: npm run sample <name> [-- arguments]\nSamples: ${folders.join(', ')}`);
  process.exit(name ? 1 : 0);
}

const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--import',
    new URL('./source-loader.mjs', import.meta.url).href,
    join(root, 'sample', folder, 'main.ts'),
    ...args,
  ],
  { stdio: 'inherit', cwd: root },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
