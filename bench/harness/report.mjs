import { medianRatio } from './statistics.mjs';

/**
 * One row: a case, our figure and a peer's. `ratio` is ours / theirs (the median of each round's), `cpuRatio` the same of
 * CPU per message. `target` is what the ratio should reach (`atLeast`) or stay below (`atMost`); null when none was set.
 */
export function row({ suite, name, ours, peer, peerName, ratio, cpuRatio = null, atLeast, atMost }) {
  const target = atLeast ?? atMost ?? null;
  const met = target === null ? null : atMost === undefined ? ratio >= target : ratio <= target;
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
  };
}

/** A row out of the rounds of two contenders: `figure` and `cpu` read a round's value. */
export function rowOfRounds({ ours, theirs, figure, cpu, middle, ...rest }) {
  const of = (rounds, read) => rounds.map(read);
  return row({
    ...rest,
    ours: middle(of(ours, figure)),
    peer: middle(of(theirs, figure)),
    ratio: medianRatio(of(ours, figure), of(theirs, figure)),
    cpuRatio: cpu ? medianRatio(of(ours, cpu), of(theirs, cpu)) : null,
  });
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
