import { median, ratiosOf, spreadOf } from './statistics.mjs';

/** What a printed line of a row has. */
const printed = ['suite', 'case', 'ours', 'peer', 'peerName', 'ratio', 'target', 'met', 'cpuRatio'];

/**
 * One row: a case, our figure and a peer's, and the `ratios` ours / theirs, one for each round. `ratio` is their median,
 * `spread` how far from it they lie, `cpuRatio` the same of CPU per message. `target` is what the ratio should reach
 * (`atLeast`) or stay below (`atMost`, or `smallerIsBetter` where no target was set); null when none was set.
 */
export function row({
  suite,
  name,
  ours,
  peer,
  peerName,
  ratios,
  cpuRatio = null,
  atLeast,
  atMost,
  ...rest
}) {
  const target = atLeast ?? atMost ?? null;
  const { smallerIsBetter = atMost !== undefined } = rest;
  const ratio = median(ratios);
  const met = target === null ? null : smallerIsBetter ? ratio <= target : ratio >= target;
  return {
    suite,
    case: name,
    ours: rounded(ours),
    peer: rounded(peer),
    peerName,
    ratio: rounded(ratio),
    target,
    met,
    cpuRatio: cpuRatio === null ? null : rounded(cpuRatio),
    smallerIsBetter,
    spread: rounded(spreadOf(ratios)),
  };
}

/** A row out of the rounds of two contenders: `figure` and `cpu` read a round's value. */
export function rowOfRounds({ ours, theirs, figure, cpu, ...rest }) {
  const figures = [ours.map(figure), theirs.map(figure)];
  return row({
    ...rest,
    ours: median(figures[0]),
    peer: median(figures[1]),
    ratios: ratiosOf(...figures),
    cpuRatio: cpu ? median(ratiosOf(ours.map(cpu), theirs.map(cpu))) : null,
  });
}

/** The row as the one line of JSON that `--json` promises. */
export function line(row) {
  return JSON.stringify(Object.fromEntries(printed.map((key) => [key, row[key]])));
}

/** The rows as a table of text. */
export function table(rows) {
  const head = ['suite', 'case', 'ours', 'peer', 'against', 'ratio', 'target', 'met', 'CPU ratio'];
  const cells = rows.map((each) => [
    each.suite,
    each.case,
    plain(each.ours),
    plain(each.peer),
    each.peerName,
    plain(each.ratio),
    plain(each.target),
    each.met === null ? '–' : each.met ? 'yes' : 'NO',
    plain(each.cpuRatio),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...cells].map((line) => line[column].length)));
  const line = (values) =>
    values
      .map((value, column) => value.padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(line)].join('\n');
}

function rounded(value) {
  if (value === null || value === undefined) return null;
  return Number(value.toPrecision(4));
}

function plain(value) {
  return value === null ? '–' : value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
