import { median, ratiosOf, spreadOf } from './statistics.mjs';

/** What the line of a row has, and what it has besides where a floor was measured. */
const printed = ['suite', 'case', 'ours', 'peer', 'peerName', 'ratio', 'target', 'met', 'cpuRatio'];
const printedOfFloor = ['floor', 'share', 'shareTarget', 'floorCpuRatio'];

/**
 * One row: a case, our figure and a peer's, and the `ratios` ours / theirs, one for each round. `ratio` is their median,
 * `spread` how far from it they lie, `cpuRatio` the same of CPU per message. `target` is what the ratio should reach
 * (`atLeast`) or stay below (`atMost`, or `smallerIsBetter` where no target was set); null when none was set. `floor` is
 * the same against the floor: what `floorOf` makes. `met`: every target that was set is met; null when none was.
 */
export function row({ suite, name, ours, peer, peerName, ratios, cpuRatio = null, floor, ...rest }) {
  const { atLeast, atMost } = rest;
  const target = atLeast ?? atMost ?? null;
  const { smallerIsBetter = atMost !== undefined } = rest;
  const ratio = median(ratios);
  const judged = [
    [ratio, target],
    [floor?.share, floor?.shareTarget ?? null],
  ].filter(([, wanted]) => wanted !== null);
  return {
    suite,
    case: name,
    ours: rounded(ours),
    peer: rounded(peer),
    peerName,
    ratio: rounded(ratio),
    target,
    met:
      judged.length === 0 ? null : judged.every(([value, wanted]) => meets(value, wanted, smallerIsBetter)),
    cpuRatio: rounded(cpuRatio),
    smallerIsBetter,
    spread: rounded(spreadOf(ratios)),
    ...floor,
  };
}

/** A row out of the rounds of two contenders, and of the floor where there is one: `figure` and `cpu` read a round's value. */
export function rowOfRounds({ ours, theirs, floor, figure, cpu, shareTarget, ...rest }) {
  const figures = [ours.map(figure), theirs.map(figure)];
  const cpuRatioTo = (others) => (cpu ? median(ratiosOf(ours.map(cpu), others.map(cpu))) : null);
  return row({
    ...rest,
    ours: median(figures[0]),
    peer: median(figures[1]),
    ratios: ratiosOf(...figures),
    cpuRatio: cpuRatioTo(theirs),
    floor: floor && floorOf(figures[0], floor.map(figure), cpuRatioTo(floor), shareTarget),
  });
}

/** Ours against the floor, round by round: `share` is ours / floor. */
function floorOf(ours, floor, cpuRatio, shareTarget = null) {
  const shares = ratiosOf(ours, floor);
  return {
    floor: rounded(median(floor)),
    share: rounded(median(shares)),
    shareTarget,
    shareSpread: rounded(spreadOf(shares)),
    floorCpuRatio: rounded(cpuRatio),
  };
}

/** The row as if the floor were its peer; undefined where no floor was measured. */
export function againstFloor(row) {
  if (row.share === undefined) return undefined;
  const {
    floor: peer,
    share: ratio,
    shareTarget: target,
    shareSpread: spread,
    floorCpuRatio: cpuRatio,
  } = row;
  const met = target === null ? null : meets(ratio, target, row.smallerIsBetter);
  return { ...row, peer, peerName: 'floor', ratio, target, spread, cpuRatio, met };
}

/** Whether a ratio reaches its target, or stays below it where smaller is better. */
export function meets(ratio, target, smallerIsBetter) {
  return smallerIsBetter ? ratio <= target : ratio >= target;
}

/** The row as the one line of JSON that `--json` promises. */
export function line(row) {
  const keys = row.share === undefined ? printed : [...printed, ...printedOfFloor];
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, row[key]])));
}

/** The rows as a table of text. */
export function table(rows) {
  const ofFloor = ['floor', 'share', 'target', 'CPU ratio'];
  const head = [
    'suite',
    'case',
    'ours',
    'peer',
    'against',
    'ratio',
    'target',
    'CPU ratio',
    ...ofFloor,
    'met',
  ];
  const cells = rows.map((each) => [
    each.suite,
    each.case,
    plain(each.ours),
    plain(each.peer),
    each.peerName,
    plain(each.ratio),
    plain(each.target),
    plain(each.cpuRatio),
    plain(each.floor),
    plain(each.share),
    plain(each.shareTarget),
    plain(each.floorCpuRatio),
    each.met === null ? '–' : each.met ? 'yes' : 'NO',
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
  return value === null || value === undefined
    ? '–'
    : value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
