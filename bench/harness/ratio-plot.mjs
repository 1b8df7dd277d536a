import { againstFloor, meets } from './report.mjs';
import { logScale, picture, rect, text } from './svg.mjs';

const WIDTH = 960;
const LABEL_END = 540;
const SCALE_END = 870;
const ROW = 20;
const HEAD = 28;
const TOP = 66;
const marks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

/** How many times better than its peer each row with a target is, with the target as a tick. */
export function ratioPlot(rows, measuredOn) {
  return plot(rows, measuredOn, {
    title: 'How many times better than its peer each measured case is, with its target',
    heading: 'Times better than the peer, and the target',
  });
}

/** The same against the floor; undefined where no row has a target there. */
export function floorPlot(rows, measuredOn) {
  const cases = new Map();
  for (const row of rows.map(againstFloor)) {
    if (row && row.target !== null) cases.set(`${row.suite}: ${row.case}`, row);
  }
  if (cases.size === 0) return undefined;
  return plot([...cases.values()], measuredOn, {
    title: 'How near to the floor each measured case is, with its target',
    heading: 'Share of the floor, and the target',
  });
}

function plot(rows, measuredOn, { title, heading }) {
  const judged = rows.filter(({ target }) => target !== null);
  const most = Math.max(2, ...judged.map(better)) * 1.1;
  const least = Math.min(0.4, 0.9 * Math.min(...judged.map(better)));
  const scale = logScale({ least, most, from: LABEL_END + 10, to: SCALE_END });
  const { parts, bottom } = bars(judged, scale);
  return picture({
    width: WIDTH,
    height: bottom + 30,
    title,
    parts: [
      text({ x: 16, y: 26, content: heading, kind: 'title' }),
      text({
        x: 16,
        y: 46,
        content: 'Throughput, or how much less time or CPU. Logarithmic. Orange: misses its target.',
        kind: 'faint',
      }),
      ...grid(scale, { least, most }, bottom),
      ...parts,
      text({ x: 16, y: bottom + 18, content: measuredOn, kind: 'faint' }),
    ],
  });
}

function bars(rows, scale) {
  const parts = [];
  let y = TOP;
  let suite;
  for (const row of rows) {
    if (row.suite !== suite) {
      suite = row.suite;
      y += HEAD;
      parts.push(text({ x: 16, y: y - 6, content: suite, kind: 'head' }));
    }
    parts.push(...bar(row, y, scale));
    y += ROW;
  }
  return { parts, bottom: y + 4 };
}

function bar(row, y, scale) {
  const times = better(row);
  const [from, to] = [scale(1), scale(times)].sort((a, b) => a - b);
  const target = row.smallerIsBetter ? 1 / row.target : row.target;
  const met = meets(row.ratio, row.target, row.smallerIsBetter);
  const label = `${shortened(row.case)} / ${row.peerName}`;
  return [
    text({ x: LABEL_END, y: y + 13, content: label, anchor: 'end' }),
    rect({ x: from, y: y + 4, width: Math.max(1, to - from), height: 11, kind: met ? 'ours' : 'missed' }),
    rect({ x: scale(target) - 1, y: y + 1, width: 2, height: 17, kind: 'ink' }),
    text({ x: Math.max(to, scale(target)) + 8, y: y + 13, content: `${figure(times)}×` }),
  ];
}

function grid(scale, { least, most }, bottom) {
  return marks
    .filter((mark) => mark > least && mark < most)
    .flatMap((mark) => [
      rect({ x: scale(mark) - 0.5, y: TOP + 12, width: 1, height: bottom - TOP - 12, kind: 'rule' }),
      text({ x: scale(mark), y: TOP + 6, content: `${mark}×`, kind: 'faint', anchor: 'middle' }),
    ]);
}

function better({ ratio, smallerIsBetter }) {
  return smallerIsBetter ? 1 / ratio : ratio;
}

/** Without what the rest of the plot says or a reader of a picture can do without. */
function shortened(name) {
  return name.replace(/ \(.*\)/, '').replace(/CPU µs per message/, 'CPU per message');
}

function figure(times) {
  return times.toLocaleString('en', { maximumSignificantDigits: times < 1 ? 2 : 3 });
}
