// node tools/bundle-program.mjs program.ts: makes one file of a TypeScript program of this repository and of what it imports
// from it, packages aside, so that a process of it starts several times faster than from its sources. Prints the path of the
// file, which is kept in node_modules/.cache and made again only when a source has changed.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { argv, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { entryOf, transpiled } from './source-hooks.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules/.cache/disco-programs');
const program = resolve(argv[2]);
const name = relative(root, program).replaceAll(/[/\\]/g, '-').replace(/\.ts$/, '');
const [outfile, list] = [join(cache, `${name}.mjs`), join(cache, `${name}.json`)];

if (!isFresh()) await bundle();
stdout.write(outfile);

function isFresh() {
  if (!existsSync(outfile) || !existsSync(list)) return false;
  const madeMs = statSync(outfile).mtimeMs;
  const sources = JSON.parse(readFileSync(list, 'utf8'));
  return sources.every((source) => existsSync(source) && statSync(source).mtimeMs < madeMs);
}

async function bundle() {
  const { metafile, outputFiles } = await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    write: false,
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    plugins: [{ name: 'sources', setup: readSources }],
  });
  mkdirSync(cache, { recursive: true });
  const made = [
    'tools/source-hooks.mjs',
    'tools/bundle-program.mjs',
    'package-lock.json',
    ...Object.keys(metafile.inputs),
  ];
  keep(list, JSON.stringify(made.map((source) => join(root, source.replace(/^sources:/, '')))));
  keep(outfile, outputFiles[0].contents);
}

/** As the loader reads them: decorators and their metadata by swc, the package's name as its sources. */
function readSources({ onResolve, onLoad }) {
  onResolve({ filter: /^nestjs-disco-bus(\/|$)/ }, ({ path }) => ({ path: fileURLToPath(entryOf(path)) }));
  onLoad({ filter: /\.ts$/ }, async ({ path }) => ({ contents: await transpiled(path), loader: 'js' }));
}

/** Several processes may write the same file: the renaming makes each of them whole when it is found. */
function keep(file, content) {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, content);
  renameSync(draft, file);
}
