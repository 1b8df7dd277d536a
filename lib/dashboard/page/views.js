import { duration, el, facts, link, sparkline, table, time } from './dom.js';

const button = (text, onclick, danger = false) =>
  el('button', { type: 'button', class: danger && 'danger', onclick }, text);
const about = (count, exact) => (exact === false ? `~${count}` : count);

/** The next page of a list, below it. */
function more(next, load, holder) {
  if (next === undefined) return undefined;
  const made = button('More', async () => {
    made.disabled = true;
    try {
      holder.append(...(await load(next)));
      made.remove();
    } catch (error) {
      made.disabled = false;
      made.after(el('p', { class: 'bad', role: 'alert' }, error.message));
    }
  });
  return made;
}

const groupColumns = [
  ['topic', ({ topic }) => link(topic, 'topic', topic)],
  ['group', ({ group }) => group],
  ['waiting', ({ waiting, exact }) => about(waiting, exact)],
  ['oldest', ({ oldestMs }) => duration(oldestMs)],
  ['held', ({ held }) => held],
  ['running', ({ running }) => running],
  ['retries', ({ retries }) => retries],
  [
    'dead',
    ({ topic, group, deadLetters }) =>
      deadLetters ? link(String(deadLetters), 'dead', topic, group) : deadLetters,
    ({ deadLetters }) => deadLetters > 0 && 'bad',
  ],
  ['members', ({ members }) => members, ({ members }) => members === 0 && 'warn'],
  [
    'state',
    ({ paused, limit }) => [paused && 'paused', limit && `limit ${limit}`].filter(Boolean).join(', '),
    () => 'warn',
  ],
];

const rowsOf = (topics) =>
  topics.flatMap(({ topic, messages, groups }) =>
    groups.length > 0
      ? groups.map((group) => ({ topic, ...group }))
      : [
          {
            topic,
            group: '(nobody reads it)',
            waiting: messages,
            held: 0,
            running: 0,
            retries: 0,
            deadLetters: 0,
          },
        ],
  );

async function overview({ get, live, history }) {
  const found = live?.topics ? live : await get('overview', { limit: 100 });
  const { topics, totals, health, server, driver, next } = found;
  const problems = health.problems.map(({ text }) => el('li', {}, text));
  const card = (name, key) =>
    el(
      'div',
      { class: 'card' },
      el('h3', {}, `${name}: ${totals[key]}`),
      sparkline(
        name,
        history.map((each) => each[key]),
      ),
    );
  const list = el('div', {}, table('Topics and groups', groupColumns, rowsOf(topics)));
  const load = async (after) => {
    const page = await get('overview', { after, limit: 100 });
    return [table('Further topics', groupColumns, rowsOf(page.topics)), more(page.next, load, list)].filter(
      Boolean,
    );
  };
  const search = el('input', { type: 'search', 'aria-label': 'Topics that contain' });
  const found2 = el('div', {});
  const form = el(
    'form',
    {
      role: 'search',
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          const page = await get('overview', { match: search.value, limit: 100 });
          found2.replaceChildren(table(`Topics with "${search.value}"`, groupColumns, rowsOf(page.topics)));
        } catch (error) {
          found2.replaceChildren(el('p', { class: 'bad', role: 'alert' }, error.message));
        }
      },
    },
    search,
    ' ',
    el('button', {}, 'Find'),
  );
  return [
    el('h2', {}, 'Topics'),
    el(
      'p',
      { class: health.status === 'up' ? 'dim' : 'warn' },
      `${health.status}: ${driver}${server ? `, ${server}` : ''}`,
    ),
    problems.length > 0 ? el('ul', { class: 'warn' }, ...problems) : undefined,
    el(
      'div',
      { class: 'cards' },
      card('Waiting', 'waiting'),
      card('Running', 'running'),
      card('Retries', 'retries'),
      card('Dead letters', 'deadLetters'),
    ),
    form,
    found2,
    list,
    more(next, load, list),
  ].filter(Boolean);
}

const memberColumns = (at) => [
  ['member', ({ service, host, pid, id }) => (host ? `${service ?? ''} ${host} ${pid ?? ''}` : id)],
  ['version', ({ version }) => version],
  ['alive', ({ aliveUntil }) => (aliveUntil === undefined || aliveUntil > at ? 'yes' : 'no')],
  ['held', ({ held }) => held],
  ['running', ({ running }) => running],
  ['longest', ({ runningSince }) => runningSince && duration(at - runningSince)],
];

async function topicView({ get, parts: [topic], readOnly, perform }) {
  const found = await get('topic', { topic });
  const card = async (group) => {
    const { reasons } = await get('explain', { topic, group: group.group });
    const target = { topic, group: group.group };
    const where = `the group "${group.group}" of "${topic}"`;
    const backlog = group.waiting + group.retries;
    const limit = el('input', {
      type: 'number',
      min: '1',
      'aria-label': `Limit of ${where}`,
      value: group.limit,
    });
    const actions = el(
      'div',
      { class: 'actions' },
      group.paused
        ? button('Resume', () => perform(undefined, '', 'resume', target))
        : button('Pause', () =>
            perform(`Pauses ${where} in all ${group.members.length} members.`, 'Pause', 'pause', target),
          ),
      limit,
      button('Set limit', () =>
        perform(undefined, '', 'limit', {
          ...target,
          limit: limit.value === '' ? null : Number(limit.value),
        }),
      ),
      button('From the beginning', () =>
        perform(
          `Moves ${where} to the oldest message that is kept: it reads messages again.`,
          'Move',
          'seek',
          { ...target, to: 'beginning' },
        ),
      ),
      button(
        'To the end',
        () =>
          perform(
            `Moves ${where} to the end: ${group.waiting} waiting messages are skipped.`,
            `Skip ${group.waiting}`,
            'seek',
            { ...target, to: 'end', skip: true, confirm: group.waiting },
          ),
        true,
      ),
      button(
        'Purge',
        () =>
          perform(`Drops ${backlog} messages of ${where} for good.`, `Drop ${backlog}`, 'purge', {
            ...target,
            confirm: backlog,
          }),
        true,
      ),
    );
    return el(
      'section',
      { class: 'card', 'aria-label': `Group ${group.group}` },
      el('h3', {}, group.group, group.paused ? el('span', { class: 'warn' }, ' paused') : undefined),
      facts([
        ['waiting', about(group.waiting, group.exact)],
        ['held, running', `${group.held}, ${group.running}`],
        ['oldest', group.oldestUnhandledAt && duration(found.at - group.oldestUnhandledAt)],
        ['retries', group.retries],
        ['next retry', time(group.nextRetryAt)],
        ['dead letters', link(String(group.deadLetters.messages), 'dead', topic, group.group)],
        ['limit', group.limit],
        ['position', group.position],
      ]),
      el('h3', {}, 'Why it waits'),
      el('ul', {}, ...reasons.map(({ text }) => el('li', {}, text))),
      table('Members', memberColumns(found.at), group.members),
      readOnly ? undefined : actions,
    );
  };
  return [
    el('h2', {}, topic),
    facts([
      ['messages', about(found.messages, found.exact)],
      ['entries', found.entries],
      ['bytes', found.bytes],
      ['published', found.published],
      ['delayed', found.delayed],
      ['overdue', found.overdue || undefined],
    ]),
    el('p', {}, link('Messages', 'messages', topic), ' · ', link('Delayed', 'delayed', topic)),
    el('div', { class: 'cards' }, ...(await Promise.all(found.groups.map(card)))),
    table(
      'Handlers in this process',
      [
        ['handler', ({ handler }) => handler],
        ['group', ({ group }) => group],
        ['concurrency', ({ concurrency }) => concurrency],
        ['running', ({ running }) => running],
        ['live', ({ live }) => (live ? 'yes' : 'no')],
      ],
      found.subscriptions,
    ),
  ];
}

const payloadOf = (message) => {
  if (!message.readable) return '(cannot be read)';
  return message.payload === undefined
    ? '(hidden)'
    : el('pre', {}, message.payload + (message.truncated ? '…' : ''));
};
const headersOf = ({ headers }) =>
  headers &&
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');

async function messages({ get, parts: [topic] }) {
  const holder = el('div', {});
  const load = async (after) => {
    const page = await get('messages', { topic, after });
    const list = table(
      `Messages of ${topic}, the oldest first`,
      [
        ['position', ({ position }) => position],
        ['id', ({ id }) => id],
        ['published', ({ publishedAt }) => time(publishedAt)],
        ['headers', headersOf],
        ['payload', payloadOf],
      ],
      page.messages,
    );
    return [list, more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  return [el('h2', {}, 'Messages of ', link(topic, 'topic', topic)), holder];
}

async function delayed({ get, parts: [topic] }) {
  const holder = el('div', {});
  const load = async (offset) => {
    const page = await get('delayed', { topic, offset });
    const list = table(
      `${page.count} delayed messages of ${topic}`,
      [
        ['due', ({ dueAt }) => time(dueAt)],
        ['id', ({ message }) => message.id],
        ['payload', ({ message }) => payloadOf(message)],
      ],
      page.delayed,
    );
    const retries = table(
      'Retries by group',
      [
        ['group', ({ group }) => group],
        ['retries', ({ retries }) => retries],
        ['next', ({ nextRetryAt }) => time(nextRetryAt)],
      ],
      page.retries,
    );
    return [...(offset === undefined ? [retries] : []), list, more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  return [el('h2', {}, 'Delayed and retried of ', link(topic, 'topic', topic)), holder];
}

async function dead({ get, parts: [topic, group, reason], readOnly, perform }) {
  const target = { topic, group };
  const holder = el('div', {});
  const one = ({ position, ...letter }) => {
    const detail = el('div', {});
    const open = button(position, async () => {
      try {
        const { message, error } = await get('dead-letter', { ...target, position });
        detail.replaceChildren(
          facts([
            ['error', error && `${error.name}: ${error.message}`],
            ['headers', headersOf(message)],
            ['payload', payloadOf(message)],
          ]),
        );
      } catch (failure) {
        detail.replaceChildren(el('p', { class: 'bad', role: 'alert' }, failure.message));
      }
    });
    const actions = el(
      'div',
      { class: 'actions' },
      button('Replay', () =>
        perform(`Hands 1 dead letter back to the group "${group}".`, 'Replay 1', 'replay', {
          ...target,
          position,
        }),
      ),
      button(
        'Remove',
        () => perform('Removes 1 dead letter for good.', 'Remove 1', 'remove', { ...target, position }),
        true,
      ),
    );
    return { ...letter, position: el('div', {}, open, detail, readOnly ? '' : actions) };
  };
  const load = async (after) => {
    const page = await get('dead-letters', { ...target, reason, after });
    const list = table(
      'Dead letters, the oldest first',
      [
        ['position', ({ position }) => position],
        ['reason', (letter) => letter.reason],
        ['error', ({ error }) => error && `${error.name}: ${error.message}`],
        ['attempts', ({ attempts }) => attempts],
        ['replays', ({ replays }) => replays],
        ['failed', ({ failedAt }) => time(failedAt)],
        ['messages', ({ messages: many = 1 }) => many],
      ],
      page.letters.map(one),
    );
    if (after === undefined) holder.append(heading(page));
    return [list, more(page.next, load, holder)].filter(Boolean);
  };
  const heading = ({ byReason, entries }) => {
    const reasons = Object.entries(byReason).map(([name, many]) => [
      link(`${name} (${many})`, 'dead', topic, group, name),
      ' ',
    ]);
    const count = reason === undefined ? entries : (byReason[reason] ?? 0);
    const all = button(`Replay ${count}`, () =>
      perform(
        `Hands ${count} dead letters back to the group "${group}" of "${topic}".`,
        `Replay ${count}`,
        'replay-all',
        { ...target, reason, confirm: count },
      ),
    );
    return el(
      'div',
      {},
      el('p', {}, link(`all (${entries})`, 'dead', topic, group), ' ', ...reasons.flat()),
      readOnly || count === 0 ? '' : all,
    );
  };
  holder.append(...(await load()));
  return [el('h2', {}, `Dead letters of "${group}" of `, link(topic, 'topic', topic)), holder];
}

async function locks({ get, readOnly, perform }) {
  const holder = el('div', {});
  const who = ({ owner, until, reserved }) =>
    `${owner ? `${owner.service ?? ''} ${owner.host} ${owner.pid}` : 'unknown'} until ${time(until)}${reserved ? ' (reserved)' : ''}`;
  const load = async (cursor) => {
    const page = await get('locks', { cursor });
    const list = table(
      'Locks that are held',
      [
        ['key', ({ key }) => key],
        ['mode', ({ mode }) => mode],
        ['holders', ({ holders }) => holders.map(who).join('; ')],
        ['waiting', ({ waiting }) => waiting],
        ['remaining', ({ remainingMs }) => duration(remainingMs)],
        ['token', ({ fencingToken }) => fencingToken],
        ...(readOnly
          ? []
          : [
              [
                '',
                ({ key, holders }) =>
                  button(
                    'Release',
                    () =>
                      perform(
                        `Takes the lock "${key}" from ${holders.length} holders; their work may go on.`,
                        `Take from ${holders.length}`,
                        'release-lock',
                        { key, confirm: holders.length },
                      ),
                    true,
                  ),
              ],
            ]),
      ],
      page.locks,
    );
    return [list, more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  return [el('h2', {}, 'Locks'), holder];
}

async function instances({ get }) {
  const { instances: found } = await get('instances');
  const columns = [
    ['service', ({ service }) => service],
    ['host', ({ host, pid }) => `${host} ${pid}`],
    ['version', ({ version }) => version],
    ['since', ({ since }) => time(since)],
    ['answers', ({ patterns }) => patterns.join(', ')],
  ];
  return [el('h2', {}, 'Instances'), table('Servers that answer requests', columns, found)];
}

async function audit({ get }) {
  const { deeds } = await get('audit', { limit: 200 });
  const columns = [
    ['when', ({ at }) => time(at)],
    ['who', ({ by }) => by],
    ['what', ({ action }) => action],
    ['where', ({ topic, group, lock }) => [topic ?? lock, group].filter(Boolean).join(' · ')],
    ['messages', ({ messages: many }) => many],
  ];
  return [el('h2', {}, 'What operators did'), table('Deeds, the newest first', columns, deeds)];
}

/** By the first part of the address behind `#/`. */
export const views = { '': overview, topic: topicView, messages, delayed, dead, locks, instances, audit };
