import { button, el, failure, svg } from './dom.js';
import { clock, number } from './words.js';

const shown = (value) => {
  if (value === undefined || value === '' || value === null) return '–';
  return typeof value === 'number'
    ? number(value)
    : (value.nodeType ?? Array.isArray(value))
      ? value
      : String(value);
};

/**
 * A table of rows. A column is { name, of, tone, kind }: `of` makes text, a number or an element; numbers stand right.
 * Roles are said in words, as a narrow window shows each row as a card.
 */
export function table(caption, columns, rows, { key, empty } = {}) {
  if (rows.length === 0) return el('p', { class: 'empty' }, empty ?? `${caption}: none`);
  const head = columns.map(({ name, kind }) =>
    el('th', { scope: 'col', role: 'columnheader', class: kind }, name),
  );
  const cell = (row, { name, of, tone, kind }) => {
    const value = of(row);
    const classes = [kind, tone?.(row), value === 0 && 'zero'].filter(Boolean).join(' ');
    return el('td', { role: 'cell', class: classes || undefined, 'data-name': name }, shown(value));
  };
  const body = rows.map((row) =>
    el('tr', { role: 'row', 'data-key': key?.(row) }, ...columns.map((column) => cell(row, column))),
  );
  const made = el(
    'table',
    { role: 'table' },
    el('caption', {}, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...head)),
    el('tbody', { role: 'rowgroup' }, ...body),
  );
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, made);
}

/** Names and values; what is undefined is left out. */
export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== undefined && value !== '');
  return el(
    'dl',
    { class: 'facts' },
    ...told.map(([name, value, tone]) =>
      el('div', { class: tone }, el('dt', {}, name), el('dd', {}, shown(value))),
    ),
  );
}

export const badge = ([tone, text]) => el('span', { class: `badge ${tone}` }, text);

/** A line through numbers, with a sentence that says the same. */
export function sparkline(name, values, unit = '') {
  const [width, height] = [120, 24];
  const most = Math.max(1, ...values);
  const x = (index) => (values.length < 2 ? 0 : (index / (values.length - 1)) * width).toFixed(1);
  const y = (value) => (height - 1.5 - (value / most) * (height - 3)).toFixed(1);
  const points = (values.length < 2 ? [...values, ...values] : values).map(
    (value, index) => `${values.length < 2 ? index * width : x(index)},${y(value)}`,
  );
  const told = `${name}: now ${number(values.at(-1) ?? 0)}${unit}, at most ${number(Math.max(0, ...values))}${unit} since this page was opened`;
  const area = svg('polygon', { points: `0,${height} ${points.join(' ')} ${width},${height}` });
  const title = svg('title', {});
  title.textContent = told;
  return svg(
    'svg',
    {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: 'none',
      class: 'spark',
      role: 'img',
      'aria-label': told,
    },
    title,
    area,
    svg('polyline', { points: points.join(' ') }),
  );
}

/** The next page of a list, below it. */
export function more(next, load, holder) {
  if (next === undefined) return undefined;
  const made = button('Show more', async () => {
    made.disabled = true;
    try {
      holder.append(...(await load(next)));
      made.remove();
    } catch (error) {
      made.disabled = false;
      made.after(failure(error.message));
    }
  });
  return made;
}

/** The title of a view: where it is, and, of one that does not renew itself, when it was asked. */
export function heading(title, { path = [], show, note } = {}) {
  const crumbs = path.flatMap((each) => [each, el('span', { 'aria-hidden': 'true' }, ' / ')]);
  return el(
    'div',
    { class: 'heading' },
    el('h2', {}, ...crumbs, title),
    note,
    show &&
      el(
        'span',
        { class: 'asked' },
        'as of ',
        clock(Date.now()),
        ' ',
        button('Refresh', () => show()),
      ),
  );
}

/** The views of one topic. */
export function tabs(topic, current, counts = {}) {
  const tab = (name, view) =>
    el(
      'a',
      {
        href: `#/${view}/${encodeURIComponent(topic)}`,
        'aria-current': view === current && 'page',
      },
      name,
      counts[view] === undefined ? undefined : el('span', { class: 'count' }, number(counts[view])),
    );
  return el(
    'nav',
    { class: 'tabs', 'aria-label': `Views of ${topic}` },
    tab('Groups', 'topic'),
    tab('Messages', 'messages'),
    tab('Delayed', 'delayed'),
  );
}

/** The payload of a message as it may be shown, in lines where it is JSON. */
export function payloadOf(message, payloads) {
  if (!message.readable) return el('span', { class: 'dim' }, 'cannot be read');
  if (message.payload === undefined)
    return el('span', { class: 'dim' }, payloads === undefined ? 'hidden' : payloads);
  let text = message.payload;
  try {
    const lines = message.truncated ? text : JSON.stringify(JSON.parse(text), undefined, 2);
    const line = lines.replaceAll(/\n */g, ' ');
    text = line.length <= 90 ? line : lines;
  } catch {
    // Not JSON: as it is.
  }
  return el(
    'pre',
    { tabindex: '0', role: 'group', 'aria-label': 'payload' },
    text + (message.truncated ? '…' : ''),
  );
}

export const headersOf = ({ headers }) =>
  headers && Object.keys(headers).length > 0
    ? el(
        'dl',
        { class: 'headers' },
        ...Object.entries(headers).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]),
      )
    : undefined;

export const code = (text) => text && el('code', {}, text);
export const owner = ({ service, host, pid } = {}) =>
  host === undefined ? 'unknown' : [el('strong', {}, service ?? 'process'), ` ${host}:${pid}`];
