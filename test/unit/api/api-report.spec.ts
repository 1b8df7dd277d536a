import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeIn, readDocument, root, tableAfter } from '../docs/markdown.js';

interface EntryApi {
  readonly report: string;
  /** Types that the declarations of the entry name, and that it does not export itself. */
  readonly forgotten: readonly string[];
}

const folder = join(root, 'docs/api');
let entries: Record<string, EntryApi>;

beforeAll(async () => {
  const tool = [join(root, 'tools/api-report.mjs')];
  const { stdout } = await promisify(execFile)(process.execPath, tool, {
    cwd: root,
    maxBuffer: 16 * 1024 * 1024,
  });
  entries = JSON.parse(stdout) as Record<string, EntryApi>;
}, 120_000);

/** The names in the export list of a report: those that are declared in it, and those of `export { Headers_2 as Headers }`. */
function exportedBy({ report }: EntryApi): string[] {
  const declared = /^export (?:abstract )?(?:class|const|enum|function|interface|type) (\w+)/gm;
  const renamed = /^export \{ (?:\w+ as )?(\w+) \}/gm;
  return [declared, renamed].flatMap((pattern) => [...report.matchAll(pattern)].map(([, name]) => name));
}

describe('the public API', () => {
  it('is what docs/api says; UPDATE_API=1 renews that', () => {
    const reports = Object.entries(entries).map(([name, { report }]) => [`${name}.api.md`, report]);
    if (process.env.UPDATE_API) {
      for (const [file, report] of reports) writeFileSync(join(folder, file), report);
    }
    const kept = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]);
    expect(Object.fromEntries(kept)).toEqual(Object.fromEntries(reports));
  });

  it('exports every type that it names, from one entry or another', () => {
    const exported = new Set(Object.values(entries).flatMap(exportedBy));
    expect(exported.size).toBeGreaterThan(150);
    const forgotten = Object.values(entries).flatMap((entry) => entry.forgotten);
    expect(forgotten.filter((name) => !exported.has(name))).toEqual([]);
  });

  it('exports every name from the entry that ADR 0032 gives it', () => {
    const table = tableAfter(readDocument('docs/adr/0032-the-api-by-reader.md'), '## Where each name is');
    expect(table.map(([, names]) => codeIn(names).length)).toEqual([149, 42, 14]);
    const missing = table.flatMap(([entry, names]) => {
      const exported = exportedBy(entries[/\/(\w+)/.exec(entry)?.[1] ?? 'index']);
      return codeIn(names).filter((name) => !exported.includes(name));
    });
    expect(missing).toEqual([]);
  });
});
