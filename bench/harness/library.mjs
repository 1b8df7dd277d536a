// The bench has a package.json of its own, so a bare import would look for the library, Nest and ioredis there.
// Everything that is compared must run on the repository's one copy of each: it is taken from the root.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const root = createRequire(new URL('../../package.json', import.meta.url));

/** A module as the repository's root sees it; `nestjs-disco-bus` is the built package, by self-reference. */
export function fromRoot(name) {
  return import(pathToFileURL(root.resolve(name)).href);
}
