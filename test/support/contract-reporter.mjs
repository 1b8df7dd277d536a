/**
 * A jest reporter: at the end of the run it prints, for each contract that was run, what became of each case for each
 * subject. It reads the titles: `describe('Driver contract: redis')` → `describe('at-least-once')` →
 * `it('W1 …')`, and `it.skip('W1 … (skipped: no capability groups)')`, which is shown as `- groups`.
 */
export default class ContractReporter {
  onRunComplete(_contexts, { testResults }) {
    const contracts = collect(testResults.flatMap((file) => file.testResults));
    for (const [contract, { subjects, cases }] of contracts) {
      process.stderr.write(`\n${contract}\n${table([...subjects], cases)}\n`);
    }
  }
}

/** contract → { subjects, cases: id → subject → Set of marks } */
export function collect(tests) {
  const contracts = new Map();
  for (const { ancestorTitles, title, status } of tests) {
    const at = ancestorTitles.findIndex((name) => / contract: /.test(name));
    if (at < 0) continue;
    const [contract, subject] = ancestorTitles[at].split(/(?<= contract): /);
    const told = [subject, ...ancestorTitles.slice(at + 1)].join(', ');
    const found = contracts.get(contract) ?? { subjects: new Set(), cases: new Map() };
    contracts.set(contract, found);
    found.subjects.add(told);
    const id = title.split(' ', 1)[0];
    const marks = found.cases.get(id) ?? new Map();
    found.cases.set(id, marks);
    marks.set(told, worse(marks.get(told), mark(title, status)));
  }
  return contracts;
}

function mark(title, status) {
  if (status === 'passed') return 'ok';
  if (status === 'failed') return 'FAILED';
  const lacks = /\(skipped: no (?:capability )?(.*)\)$/.exec(title)?.[1];
  return lacks === undefined ? 'not run' : `- ${lacks}`;
}

/** Several tests may share an id: a failure outweighs a skip, and that a pass. */
function worse(one = 'ok', other) {
  const weight = (given) => (given === 'FAILED' ? 2 : given === 'ok' ? 0 : 1);
  return weight(one) >= weight(other) ? one : other;
}

function table(subjects, cases) {
  const rows = [...cases].map(([id, marks]) => [id, ...subjects.map((subject) => marks.get(subject) ?? '')]);
  const numbered = subjects.map((subject, index) => `  [${index + 1}] ${subject}`);
  const head = ['case', ...subjects.map((_, index) => `[${index + 1}]`)];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) => `  ${row.map((cell, column) => cell.padEnd(widths[column])).join('  ')}`.trimEnd();
  return [...numbered, line(head), ...rows.map(line)].join('\n');
}
