// The guard: whether a run's ratios are worse than those that bench/baseline.json holds, beyond noise.
import { againstFloor } from './report.mjs';

/** On top of the spread of the rounds: what a ratio may move by from one run to the next on the same machine. */
export const MARGIN = 0.15;

/** What a baseline remembers of rows: by suite, and by case and peer (the floor is one), the ratio and its spread. */
export function baselineOf(rows) {
  const baseline = {};
  for (const row of withFloors(rows)) {
    baseline[row.suite] ??= {};
    baseline[row.suite][nameOf(row)] = { ratio: row.ratio, spread: row.spread };
  }
  return baseline;
}

/**
 * Each row against the baseline: `worse` is by what share its ratio is worse (0.5: half as much again; below 0: better),
 * `allowed` how much noise explains, `regressed` whether it is more than that. A row without a counterpart has nulls.
 */
export function compare(baseline, rows) {
  return withFloors(rows).map((row) => {
    const name = nameOf(row);
    const before = baseline[row.suite]?.[name];
    if (before === undefined) return { suite: row.suite, name, worse: null, allowed: null, regressed: false };
    const worse = (row.smallerIsBetter ? row.ratio / before.ratio : before.ratio / row.ratio) - 1;
    const allowed = before.spread + row.spread + MARGIN;
    return {
      suite: row.suite,
      name,
      before: before.ratio,
      now: row.ratio,
      worse,
      allowed,
      regressed: !(worse <= allowed),
    };
  });
}

/** What the baseline has of the suites of `rows` and the rows lack. */
export function vanished(baseline, rows) {
  const present = new Set(withFloors(rows).map((row) => `${row.suite}: ${nameOf(row)}`));
  return [...new Set(rows.map(({ suite }) => suite))]
    .flatMap((suite) => Object.keys(baseline[suite] ?? {}).map((name) => `${suite}: ${name}`))
    .filter((name) => !present.has(name));
}

/** The comparison as lines of text, the regressions last. */
export function told(comparison) {
  const compared = comparison.filter(({ worse }) => worse !== null);
  const regressed = compared.filter((each) => each.regressed);
  const unknown = comparison.filter(({ worse }) => worse === null);
  return [
    `${compared.length} rows compared with the baseline, ${regressed.length} worse beyond noise.`,
    ...unknown.map(({ suite, name }) => `  not in the baseline: ${suite}: ${name}`),
    ...regressed.map(
      ({ suite, name, before, now, worse, allowed }) =>
        `  REGRESSED ${suite}: ${name}: ratio ${before} → ${now}, worse by ${percent(worse)}; noise explains ${percent(allowed)}`,
    ),
  ];
}

/** Each row, and once for each case the same against the floor. */
function withFloors(rows) {
  const cases = new Set();
  return rows.flatMap((row) => {
    const other = againstFloor(row);
    const name = `${row.suite}: ${row.case}`;
    if (!other || cases.has(name)) return [row];
    cases.add(name);
    return [row, other];
  });
}

function nameOf(row) {
  return `${row.case} / ${row.peerName}`;
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}
