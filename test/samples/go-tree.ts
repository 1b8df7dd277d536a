import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is removed at the end, and the files that are put there. */
export class Tree {
  readonly root = mkdtempSync(join(tmpdir(), 'disco-tree-'));

  path(...names: string[]): string {
    return join(this.root, ...names);
  }

  write(name: string, content: string | Uint8Array): void {
    mkdirSync(join(this.root, name, '..'), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** What there is in a generated tree. */
export interface TreeTotals {
  readonly files: number;
  readonly packages: number;
  readonly functions: number;
  readonly lines: number;
}

/** Writes `count` Go files, a hundred to a package; no two neighbours have the same number of functions and lines. */
export function writeGoFiles(tree: Tree, count: number): TreeTotals {
  let functions = 0;
  let lines = 0;
  for (let index = 0; index < count; index++) {
    const folder = `pkg${Math.floor(index / 100)}`;
    const content = goFile(folder, index % 7);
    functions += index % 7;
    lines += content.split('\n').length - 1;
    tree.write(`${folder}/file${index % 100}.go`, content);
  }
  return { files: count, packages: Math.ceil(count / 100), functions, lines };
}

function goFile(name: string, functions: number): string {
  const bodies = Array.from({ length: functions }, (_, index) => {
    return `\nfunc Do${index}() string { return "func Not()" }\n`;
  });
  return `// Package ${name} is made up.\npackage ${name}\n\nimport "strings"\n${bodies.join('')}`;
}
