import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The flags with which `node` runs a TypeScript program of the repository in a process of its own. */
export const sourceFlags: readonly string[] = [
  '--import',
  pathToFileURL(join(__dirname, '../../tools/source-loader.mjs')).href,
];
