/** An element with properties and children. All text becomes text nodes: what is stored stays text. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

export const link = (text, ...parts) =>
  el('a', { href: `#/${parts.map(encodeURIComponent).join('/')}` }, text);

/** A table of rows; a column is [name, cell, class]. A cell is text, a number or an element. */
export function table(caption, columns, rows) {
  if (rows.length === 0) return el('p', { class: 'dim' }, `${caption}: none`);
  const head = columns.map(([name]) => el('th', { scope: 'col' }, name));
  const body = rows.map((row) =>
    el(
      'tr',
      {},
      ...columns.map(([, of, tone]) => {
        const value = of(row);
        const classes = [typeof value === 'number' && 'number', tone?.(row)].filter(Boolean).join(' ');
        return el(
          'td',
          { class: classes || undefined },
          value === undefined || value === '' ? '–' : value?.nodeType ? value : String(value),
        );
      }),
    ),
  );
  const made = el(
    'table',
    {},
    el('caption', { class: 'dim' }, caption),
    el('thead', {}, el('tr', {}, ...head)),
    el('tbody', {}, ...body),
  );
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, made);
}

export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== undefined && value !== '');
  return el(
    'dl',
    {},
    ...told.flatMap(([name, value]) => [
      el('dt', {}, name),
      el('dd', {}, value?.nodeType ? value : String(value)),
    ]),
  );
}

/** A line through numbers, with a sentence that says the same. */
export function sparkline(name, values) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const most = Math.max(1, ...values);
  const x = (index) => (values.length < 2 ? 0 : (index / (values.length - 1)) * 300);
  const line = document.createElementNS(svg.namespaceURI, 'polyline');
  line.setAttribute(
    'points',
    values.map((value, index) => `${x(index).toFixed(1)},${(38 - (value / most) * 36).toFixed(1)}`).join(' '),
  );
  svg.setAttribute('viewBox', '0 0 300 40');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('role', 'img');
  svg.setAttribute(
    'aria-label',
    `${name}: now ${values.at(-1) ?? 0}, at most ${Math.max(0, ...values)} since this page was opened`,
  );
  svg.append(line);
  return svg;
}

export function duration(ms) {
  if (ms === undefined) return undefined;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const units = [
    ['d', 86400000],
    ['h', 3600000],
    ['m', 60000],
    ['s', 1000],
  ];
  const at = units.findIndex(([, size]) => ms >= size);
  const rest = units[at + 1] && Math.floor((ms % units[at][1]) / units[at + 1][1]);
  return `${Math.floor(ms / units[at][1])}${units[at][0]}${rest ? ` ${rest}${units[at + 1][0]}` : ''}`;
}

export const time = (ms) =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace('T', ' ').slice(0, 19);
