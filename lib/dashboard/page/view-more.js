import { button, el } from './dom.js';
import { badge, code, heading, more, owner, table } from './parts.js';
import { duration, many, number, when } from './words.js';

const holding = ({ owner: by, since, until, reserved }) =>
  el(
    'div',
    {},
    ...owner(by),
    reserved && ' (reserved)',
    el('small', {}, since ? ['got it ', when(since), ', '] : '', 'loses it ', when(until)),
  );

const lockColumns = ({ readOnly, perform }) => [
  { name: 'Key', kind: 'name', of: ({ key }) => code(key) },
  {
    name: 'Mode',
    of: ({ mode, permits }) => badge(['dim', permits === undefined ? mode : `${mode} of ${permits}`]),
  },
  { name: 'Held by', of: ({ holders }) => el('div', {}, ...holders.map(holding)) },
  { name: 'In queue', kind: 'number', of: ({ waiting }) => waiting },
  { name: 'Remains', kind: 'number', of: ({ remainingMs }) => duration(remainingMs) },
  { name: 'Token', kind: 'number', of: ({ fencingToken }) => fencingToken },
  ...(readOnly
    ? []
    : [
        {
          name: 'Actions',
          of: ({ key, holders }) =>
            button(
              'Release',
              () =>
                perform('release-lock', { key, confirm: holders.length }, (count) => ({
                  text: `Takes the lock "${key}" from ${many(count, 'holder')}. Their work may go on beside that of the next.`,
                  yes: `Take from ${number(count)}`,
                  danger: true,
                })),
              { danger: true, label: `Release ${key}` },
            ),
        },
      ]),
];

export async function locks(context) {
  const { get, show } = context;
  const holder = el('div', {});
  const load = async (cursor) => {
    const page = await get('locks', { cursor });
    const list = table('Locks that are held', lockColumns(context), page.locks, {
      key: ({ key }) => key,
      empty: 'Nobody holds a lock.',
    });
    return [list, more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  return [heading('Locks', { show }), holder];
}

const instanceColumns = [
  { name: 'Process', kind: 'name', of: (instance) => el('span', {}, ...owner(instance)) },
  { name: 'Version', of: ({ version }) => version },
  { name: 'Since', of: ({ since }) => when(since) },
  { name: 'Answers', kind: 'wide', of: ({ patterns }) => patterns.join(', ') },
];

export async function instances({ get, show }) {
  const { instances: found } = await get('instances');
  const empty = 'No server of the transport answers requests here.';
  return [
    heading('Instances', { show }),
    table('Servers that answer requests', instanceColumns, found, { empty }),
  ];
}

const deedColumns = [
  { name: 'When', kind: 'nowrap', of: ({ at }) => when(at) },
  { name: 'Who', kind: 'name', of: ({ by }) => by },
  { name: 'What', of: ({ action }) => action },
  {
    name: 'Where',
    kind: 'wide',
    of: ({ topic, group, lock }) => [topic ?? lock, group].filter(Boolean).join(' / '),
  },
  { name: 'Messages', kind: 'number', of: ({ messages }) => messages },
];

export async function audit({ get, show }) {
  const { deeds } = await get('audit', { limit: 200 });
  const empty = 'No operator did anything yet.';
  return [
    heading('Audit', { show }),
    table('What operators did, the newest first', deedColumns, deeds, { empty }),
  ];
}
