// Node's hooks for the modules of a program that source-loader.mjs was imported for.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const cache = new URL('node_modules/.cache/disco-sources/', root);
const { version } = createRequire(import.meta.url)('@swc/core/package.json');
const settings = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    keepClassNames: true,
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
};
const madeWith = JSON.stringify([version, settings]);
mkdirSync(cache, { recursive: true });

/** `nestjs-disco-bus` is `lib`, and `./file.js` is `./file.ts` where the latter exists. */
export function resolve(specifier, context, next) {
  const url = entryOf(specifier) ?? sourceOf(specifier, context.parentURL ?? '');
  return url === undefined ? next(specifier, context) : { url, format: 'module', shortCircuit: true };
}

export async function load(url, context, next) {
  if (!isOurs(url) || !url.endsWith('.ts')) return next(url, context);
  return { format: 'module', source: await transpiled(fileURLToPath(url)), shortCircuit: true };
}

export function entryOf(specifier) {
  const match = /^nestjs-disco-bus(?:\/([a-z]+))?$/.exec(specifier);
  if (match === null) return undefined;
  const folders = [match[1] ?? '.', `drivers/${match[1]}`];
  const file = folders
    .map((folder) => new URL(`lib/${folder}/index.ts`, root))
    .find((url) => existsSync(url));
  return file?.href;
}

function sourceOf(specifier, parent) {
  if (!/^\.{1,2}\/.*\.js$/.test(specifier) || !isOurs(parent)) return undefined;
  const url = new URL(specifier.replace(/\.js$/, '.ts'), parent);
  return existsSync(url) ? url.href : undefined;
}

function isOurs(url) {
  return url.startsWith(root.href) && !url.includes('/node_modules/');
}

export async function transpiled(filename) {
  const source = readFileSync(filename, 'utf8');
  const name = createHash('sha256').update(`${madeWith}\n${filename}\n`).update(source).digest('hex');
  const file = new URL(`${name}.mjs`, cache);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const { transform } = await import('@swc/core');
  const { code } = await transform(source, { ...settings, filename });
  // Several processes and threads may write the same file: the renaming makes each of them whole when it is found.
  const draft = new URL(`${name}.${randomUUID()}`, cache);
  writeFileSync(draft, code);
  renameSync(draft, file);
  return code;
}
