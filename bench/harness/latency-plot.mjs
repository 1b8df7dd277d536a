import { logScale, picture, rect, text } from './svg.mjs';

const WIDTH = 900;
const LABEL_END = 190;
const SCALE_END = 820;
const BAR = 13;
const GROUP_GAP = 14;
const TOP = 88;
const kinds = ['ours', 'peer', 'other'];
const marks = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];

/** The latency's percentiles of `pubsub`: ours and each peer's beside each other. */
export function latencyPlot(rows, measuredOn) {
  const groups = groupsOf(rows);
  const values = [...groups.values()].flatMap((bars) => [...bars.values()]);
  const [least, most] = [Math.min(...values) / 1.5, Math.max(...values) * 1.1];
  const scale = logScale({ least, most, from: LABEL_END + 10, to: SCALE_END });
  const { parts, bottom } = drawn(groups, scale);
  return picture({
    width: WIDTH,
    height: bottom + 30,
    title: 'Latency of publish to handler, ours and the peers',
    parts: [
      text({ x: 16, y: 26, content: 'Publish to handler, 100 B', kind: 'title' }),
      text({ x: 16, y: 46, content: 'Less is better. Logarithmic.', kind: 'faint' }),
      ...legend([...groups.values()][0].keys()),
      ...grid(scale, { least, most }, bottom),
      ...parts,
      text({ x: 16, y: bottom + 18, content: measuredOn, kind: 'faint' }),
    ],
  });
}

/** By case: the figure of each contender, ours first. */
function groupsOf(rows) {
  const groups = new Map();
  for (const row of rows) {
    if (!/, p\d+ µs$/.test(row.case)) continue;
    const group = groups.get(row.case) ?? new Map([['this library', row.ours]]);
    group.set(row.peerName, row.peer);
    groups.set(row.case, group);
  }
  return groups;
}

function drawn(groups, scale) {
  const parts = [];
  let y = TOP + 16;
  for (const [name, bars] of groups) {
    const label = name
      .replace('100 B', '')
      .replace(/^[, ]+/, '')
      .replace(/ µs$/, '');
    parts.push(text({ x: LABEL_END, y: y + (bars.size * BAR) / 2 + 4, content: label, anchor: 'end' }));
    for (const [index, value] of [...bars.values()].entries()) {
      const x = LABEL_END + 10;
      parts.push(rect({ x, y, width: scale(value) - x, height: BAR - 2, kind: kinds[index] }));
      parts.push(text({ x: scale(value) + 6, y: y + 10, content: duration(value), kind: 'faint' }));
      y += BAR;
    }
    y += GROUP_GAP;
  }
  return { parts, bottom: y };
}

function legend(names) {
  return [...names].flatMap((name, index) => {
    const x = 16 + index * 170;
    return [
      rect({ x, y: 58, width: 12, height: 12, kind: kinds[index] }),
      text({ x: x + 18, y: 68, content: name }),
    ];
  });
}

function grid(scale, { least, most }, bottom) {
  return marks
    .filter((mark) => mark > least && mark < most)
    .flatMap((mark) => [
      rect({ x: scale(mark) - 0.5, y: TOP + 10, width: 1, height: bottom - TOP - 16, kind: 'rule' }),
      text({ x: scale(mark), y: TOP + 6, content: duration(mark), kind: 'faint', anchor: 'middle' }),
    ]);
}

function duration(us) {
  const digits = { maximumSignificantDigits: 2 };
  return us < 1_000
    ? `${Math.round(us).toLocaleString('en', digits)} µs`
    : `${(us / 1_000).toLocaleString('en', digits)} ms`;
}
