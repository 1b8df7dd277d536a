// As much of SVG as the plots need. Colours follow the reader's light or dark setting.

const light = { ground: '#ffffff', ink: '#1f2328', faint: '#59636e', rule: '#d1d9e0', ours: '#0969da' };
const dark = { ground: '#0d1117', ink: '#f0f6fc', faint: '#9198a1', rule: '#3d444d', ours: '#4493f8' };
const lightPeers = { missed: '#bc4c00', peer: '#8c959f', other: '#c4ccd4' };
const darkPeers = { missed: '#db6d28', peer: '#7d8590', other: '#545d68' };

/** A whole picture of `width` × `height` pixels around `parts`; `title` is what a screen reader says. */
export function picture({ width, height, title, parts }) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    '<style>',
    'text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }',
    '.title { font-size: 15px; font-weight: 600; } .head { font-weight: 600; }',
    ...rules({ ...light, ...lightPeers }),
    '@media (prefers-color-scheme: dark) {',
    ...rules({ ...dark, ...darkPeers }),
    '}',
    '</style>',
    rect({ x: 0, y: 0, width, height, kind: 'ground' }),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** A filled rectangle. `kind` is a colour's name: `ours`, `missed`, `peer`, `other`, `rule`, `ink`, `ground`. */
export function rect({ x, y, width, height, kind }) {
  return `<rect class="${kind}" x="${short(x)}" y="${short(y)}" width="${short(Math.max(0, width))}" height="${short(height)}"/>`;
}

/** A line of text that begins at `x`, or ends there (`anchor: 'end'`), or stands in its middle. */
export function text({ x, y, content, kind = 'ink', anchor = 'start' }) {
  return `<text class="${kind}" x="${short(x)}" y="${short(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

/** A logarithmic scale: where between the pixels `from` and `to` a value between `least` and `most` lies. */
export function logScale({ least, most, from, to }) {
  const span = Math.log(most / least);
  return (value) => from + ((to - from) * Math.log(Math.min(most, Math.max(least, value)) / least)) / span;
}

function rules({ ground, ink, faint, rule, ours, missed, peer, other }) {
  return [
    `.ground { fill: ${ground}; } .ink, .title, .head { fill: ${ink}; } .faint { fill: ${faint}; }`,
    `.rule { fill: ${rule}; } .ours { fill: ${ours}; } .missed { fill: ${missed}; }`,
    `.peer { fill: ${peer}; } .other { fill: ${other}; }`,
  ];
}

function short(number) {
  return Math.round(number * 10) / 10;
}

function escaped(content) {
  return String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
