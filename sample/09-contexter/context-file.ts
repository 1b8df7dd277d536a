import type { Survey } from './coordinator.service.js';
import type { Facts } from './languages.js';

/** What is said in the end, and at the top of the context file. */
export interface Totals {
  readonly files: number;
  readonly packages: number;
  readonly functions: number;
  readonly lines: number;
  readonly binary: number;
  readonly vendored: number;
  readonly problems: readonly { readonly path: string; readonly problem: string }[];
}

/** Adds everything up. */
export function totalsOf(survey: Survey): Totals {
  const files = factsByPath(survey).map(([, facts]) => facts);
  const found = [...survey.findings];
  const problems = found.flatMap(([path, finding]) =>
    finding.type === 'problem' ? [{ path, problem: finding.problem }] : [],
  );
  return {
    files: files.length,
    packages: new Set(files.flatMap((facts) => facts.package ?? [])).size,
    functions: files.reduce((sum, { functions }) => sum + functions.length, 0),
    lines: files.reduce((sum, { lines }) => sum + lines, 0),
    binary: found.filter(([, { type }]) => type === 'binary').length,
    vendored: survey.vendored,
    problems: [...survey.problems, ...problems].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** The whole context in Markdown: totals, problems, the tree, and each file's facts. */
export function renderContext(title: string, survey: Survey): string {
  const { problems, ...totals } = totalsOf(survey);
  const files = factsByPath(survey);
  return [
    `# ${title}`,
    Object.entries(totals)
      .map(([name, count]) => `- ${name}: ${count}`)
      .join('\n'),
    problems.length > 0 ? `## Problems\n\n${problems.map(renderProblem).join('\n')}` : '',
    `## Tree\n\n\`\`\`\n${renderTree(files.map(([path]) => path))}\n\`\`\``,
    '## Files',
    ...files.map(([path, facts]) => renderFile(path, facts)),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');
}

function factsByPath({ findings }: Survey): [string, Facts][] {
  return [...findings]
    .flatMap(([path, finding]): [string, Facts][] =>
      finding.type === 'facts' ? [[path, finding.facts]] : [],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Each path under its folders, two spaces for each level; a folder is named once. */
function renderTree(paths: readonly string[]): string {
  const lines: string[] = [];
  let open: string[] = [];
  for (const path of paths) {
    const folders = path.split('/');
    const file = folders.pop();
    const common = folders.findIndex((folder, level) => folder !== open[level]);
    for (let level = common < 0 ? folders.length : common; level < folders.length; level++) {
      lines.push(`${'  '.repeat(level)}${plain(folders[level])}/`);
    }
    open = folders;
    lines.push(`${'  '.repeat(folders.length)}${plain(file!)}`);
  }
  return lines.join('\n');
}

function renderProblem({ path, problem }: Totals['problems'][number]): string {
  return `- ${code(path)}: ${problem}`;
}

function renderFile(path: string, facts: Facts): string {
  const row = (name: string, values: readonly string[]) =>
    values.length > 0 ? `- ${name}: ${values.map(code).join(', ')}` : '';
  return [
    `### ${code(path)}\n`,
    row('package', facts.package ? [facts.package] : []),
    row('imports', facts.imports),
    row('functions', facts.functions),
    `- lines: ${facts.lines}`,
  ]
    .filter(Boolean)
    .join('\n');
}

/** A name may hold anything, also a backtick or the end of a line. */
function plain(name: string): string {
  return name.replace(/[`\s]/g, ' ');
}

function code(name: string): string {
  return `\`${plain(name)}\``;
}
