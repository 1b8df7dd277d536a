import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

/** A file to look into, or something that cannot be; paths are relative to the root, with `/`. */
export type Found =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'problem'; readonly path: string; readonly problem: string }
  | { readonly type: 'vendored'; readonly path: string };

/** What is wanted. */
export interface Wanted {
  readonly extensions: ReadonlySet<string>;
  /** Larger files are a problem. */
  readonly maxBytes: number;
}

/** Folders that hold other people's code, or none. */
const vendored = new Set(['vendor', 'node_modules', 'third_party', '.git', '.hg', '.svn']);

/** Finds the wanted files below `root`, in the order of their names. Nothing that it meets ends it, save a `root` that cannot be read. */
export async function* walk(root: string, wanted: Wanted): AsyncGenerator<Found> {
  const realRoot = await realpath(root);
  await readdir(realRoot);
  yield* new Walk(realRoot, wanted).folder(realRoot, [realRoot]);
}

class Walk {
  constructor(
    private readonly root: string,
    private readonly wanted: Wanted,
  ) {}

  /** `parents` are the real paths of the folders from the root to this one. */
  async *folder(path: string, parents: readonly string[]): AsyncGenerator<Found> {
    const entries = await this.trying(path, () => readdir(path, { withFileTypes: true }));
    if ('problem' in entries) return yield entries;
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = join(path, entry.name);
      if (entry.isSymbolicLink()) yield* this.link(child, parents);
      else if (entry.isDirectory()) yield* this.below(child, join(parents.at(-1)!, entry.name), parents);
      else yield* this.file(child);
    }
  }

  private async *below(path: string, real: string, parents: readonly string[]): AsyncGenerator<Found> {
    if (vendored.has(path.slice(path.lastIndexOf(sep) + 1)))
      yield { type: 'vendored', path: this.name(path) };
    else yield* this.folder(path, [...parents, real]);
  }

  /** What a link within the tree leads to is found there; what is elsewhere is taken as if it were here. */
  private async *link(path: string, parents: readonly string[]): AsyncGenerator<Found> {
    const target = await this.trying(path, async () => {
      const real = await realpath(path);
      return { real, isFolder: (await stat(real)).isDirectory() };
    });
    if ('problem' in target) return yield target;
    const { real, isFolder } = target;
    if (isFolder && parents.includes(real)) yield this.problem(path, 'symlink loop');
    else if (real === this.root || real.startsWith(this.root + sep)) return;
    else if (isFolder) yield* this.below(path, real, parents);
    else yield* this.file(path);
  }

  private async *file(path: string): AsyncGenerator<Found> {
    const extension = path.slice(path.lastIndexOf('.') + 1);
    if (!this.wanted.extensions.has(extension)) return;
    const details = await this.trying(path, () => stat(path));
    if ('problem' in details) yield details;
    else if (!details.isFile()) yield this.problem(path, 'not a regular file');
    else if (details.size > this.wanted.maxBytes)
      yield this.problem(path, `too large: ${details.size} bytes`);
    else yield { type: 'file', path: this.name(path) };
  }

  private async trying<Result extends object>(path: string, look: () => Promise<Result>) {
    try {
      return await look();
    } catch (error) {
      return this.problem(path, problemOf(error));
    }
  }

  private problem(path: string, problem: string): Extract<Found, { type: 'problem' }> {
    return { type: 'problem', path: this.name(path), problem };
  }

  private name(path: string): string {
    return relative(this.root, path).split(sep).join('/') || '.';
  }
}

/** A few words for an error of the file system. */
export function problemOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ELOOP') return 'symlink loop';
  return `unreadable: ${code ?? (error as Error).message}`;
}
