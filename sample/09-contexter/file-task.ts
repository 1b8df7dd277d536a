import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { type Facts, factsOf } from './languages.js';
import { problemOf } from './walk.js';

/** One file to look into. A task says all that a worker must know, so that any worker can do any run's. */
export interface FileTask {
  readonly root: string;
  /** Relative to the root. */
  readonly path: string;
  /** Where the merged report of the run is kept. */
  readonly report: string;
}

/** The topics of this application and what is published to them. */
export interface ContexterEvents {
  'contexter.files': FileTask;
  'contexter.progress': { readonly report: string };
}

/** What came of a task. */
export type Finding =
  | { readonly type: 'facts'; readonly facts: Facts }
  | { readonly type: 'binary' }
  | { readonly type: 'problem'; readonly problem: string };

/** Reads the file. Whatever is wrong with it is its finding, and no failure. */
export async function inspectFile({ root, path }: FileTask): Promise<Finding> {
  try {
    const bytes = await readFile(join(root, path));
    if (bytes.subarray(0, 8_000).includes(0)) return { type: 'binary' };
    return { type: 'facts', facts: factsOf(bytes.toString('utf8'), extname(path).slice(1)) };
  } catch (error) {
    return { type: 'problem', problem: problemOf(error) };
  }
}
