// The bench has a package.json of its own, so a bare import would look for the library, Nest and ioredis there.
// Everything that is compared must run on the repository's one copy of each: it is taken from the root.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = createRequire(new URL('../../package.json', import.meta.url));
/** Another build of the library may be measured instead: the folder of its package.json, with the same peers in reach. */
const { BENCH_LIBRARY } = process.env;
const library = BENCH_LIBRARY ? createRequire(join(BENCH_LIBRARY, 'package.json')) : root;

/** A module as the repository's root sees it; `nestjs-disco-bus` and its subpaths are the built package, by self-reference. */
export function fromRoot(name) {
  const from = /^nestjs-disco-bus(\/|$)/.test(name) ? library : root;
  return import(pathToFileURL(from.resolve(name)).href);
}

/** A module from inside the built package, by its path there: for what is measured with a part of it taken out. */
export function fromInside(path) {
  return import(pathToFileURL(join(dirname(library.resolve('nestjs-disco-bus')), path)).href);
}
