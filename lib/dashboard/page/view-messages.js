import { el } from './dom.js';
import { code, headersOf, heading, more, payloadOf, table, tabs } from './parts.js';
import { number, when } from './words.js';

const path = [el('a', { href: '#/' }, 'Topics')];
const hidden = (payloads) =>
  payloads === 'hidden'
    ? el(
        'p',
        { class: 'note' },
        'Payloads and headers are hidden. The option ',
        code('payloads'),
        ' of the dashboard shows them.',
      )
    : payloads === 'masked'
      ? el('p', { class: 'note' }, 'Payloads and headers are masked: names and kinds, no values.')
      : undefined;

const messageColumns = (payloads) => [
  {
    name: 'Message',
    kind: 'ids',
    of: ({ id, position }) => [code(id ?? 'no id'), el('small', {}, 'at ', position)],
  },
  { name: 'Published', kind: 'nowrap', of: ({ publishedAt }) => when(publishedAt) },
  ...(payloads === 'hidden'
    ? []
    : [
        { name: 'Headers', of: headersOf },
        { name: 'Payload', kind: 'wide', of: (message) => payloadOf(message) },
      ]),
];

export async function messages({ get, show, parts: [topic], payloads }) {
  const holder = el('div', {});
  const load = async (after) => {
    const page = await get('messages', { topic, after });
    const list = table('Messages, the oldest first', messageColumns(payloads), page.messages, {
      key: ({ position }) => position,
      empty: 'Nothing is kept: every group has handled all of it.',
    });
    return [list, more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  return [heading(topic, { path, show }), tabs(topic, 'messages'), hidden(payloads), holder].filter(Boolean);
}

const retryColumns = [
  { name: 'Group', kind: 'name', of: ({ group }) => group },
  { name: 'Retries', kind: 'number', of: ({ retries }) => retries },
  { name: 'Next', of: ({ nextRetryAt }) => nextRetryAt && when(nextRetryAt) },
];

export async function delayed({ get, show, parts: [topic], payloads }) {
  const holder = el('div', {});
  const columns = [
    { name: 'Due', kind: 'nowrap', of: ({ dueAt }) => when(dueAt) },
    { name: 'Message', kind: 'ids', of: ({ message }) => code(message.id ?? 'no id') },
    { name: 'Published', kind: 'nowrap', of: ({ message }) => when(message.publishedAt) },
    ...(payloads === 'hidden'
      ? []
      : [{ name: 'Payload', kind: 'wide', of: ({ message }) => payloadOf(message) }]),
  ];
  const load = async (offset) => {
    const page = await get('delayed', { topic, offset });
    const list = table(`Published with a delay: ${number(page.count)}`, columns, page.delayed, {
      empty: 'Nothing is published with a delay.',
    });
    const waiting = page.retries.filter(({ retries }) => retries > 0);
    const retries = table('Tried again, by group', retryColumns, waiting, {
      empty: 'No group has anything to try again.',
    });
    return [list, ...(offset === undefined ? [retries] : []), more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  return [heading(topic, { path, show }), tabs(topic, 'delayed'), hidden(payloads), holder].filter(Boolean);
}
