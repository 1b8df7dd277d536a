import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** The repository. */
export const root = join(__dirname, '../../..');

/** The text of a document of the repository. */
export function readDocument(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Every page of `folders`, as paths from the root of the repository. */
export function pagesOf(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => `${folder}/${file}`)
      .sort(),
  );
}

/** README and the pages written for users, whose code must compile. */
export const userPages = [
  'README.md',
  ...pagesOf(['start', 'guides', 'migrate', 'reference', 'understand'].map((folder) => `docs/${folder}`)),
];

/** A block of code between fences: its language, what else stands behind the fence, and where it begins. */
export interface CodeBlock {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly marks: readonly string[];
  readonly code: string;
}

/** The blocks of code of a page. */
export function codeBlocksOf(page: string): CodeBlock[] {
  const text = readDocument(page);
  return [...text.matchAll(/^```(\w*)([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, language, marks, code] = match;
    const line = text.slice(0, match.index).split('\n').length + 1;
    return { page, line, language, marks: marks.split(' ').filter(Boolean), code };
  });
}

/** The text of a page without its code: no fenced block and nothing in backticks. */
function proseOf(page: string): string {
  return readDocument(page)
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/`[^`\n]*`/g, '');
}

/** Where the links and pictures of a page lead within the repository: the file, and the anchor on it. */
export function linksOf(page: string): { readonly file: string; readonly anchor: string }[] {
  const targets = [...proseOf(page).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)].map(([, target]) => target);
  const pictures = [...proseOf(page).matchAll(/(?:src|srcset|href)="(?!\w+:)([^"]+)"/g)].map(
    ([, target]) => target,
  );
  return [...targets, ...pictures].map((target) => {
    const [path, anchor = ''] = target.split('#');
    return { file: path === '' ? page : normalize(join(dirname(page), path)), anchor };
  });
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  const text = readDocument(page).replace(/^```[\s\S]*?^```$/gm, '');
  for (const [, heading] of text.matchAll(/^#+ (.+)$/gm)) {
    const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = shown
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The rows of the first table after `from` in `text`, head and rule left out: each row its cells. */
export function tableAfter(text: string, from: string): string[][] {
  const start = text.indexOf(from);
  if (start < 0) throw new Error(`The document does not say ${from}`);
  const lines = text.slice(start + from.length).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows: string[][] = [];
  for (const line of lines.slice(first)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows.slice(2);
}

/** What stands in backticks in a cell. */
export function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
}
