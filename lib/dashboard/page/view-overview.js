import { el, hrefOf, link } from './dom.js';
import { badge, more, sparkline, table } from './parts.js';
import { about, duration, many, number, stateOf } from './words.js';

/** What somebody looks for; it stays while the page is open. */
const looked = { match: '' };

const rowsOf = (topics) =>
  topics.flatMap(({ groups, ...topic }) =>
    groups.length > 0
      ? groups.map((group, index) => ({ topic, ...group, first: index === 0 }))
      : [{ topic, first: true }],
  );

/** Messages a second that were published, between one time and the next. */
const rates = (history, read) =>
  history.slice(1).map((each, index) => {
    const [before, after] = [read(history[index]), read(each)];
    if (before === undefined || after === undefined) return 0;
    return Math.max(0, Math.round(((after - before) * 1_000) / Math.max(1, each.at - history[index].at)));
  });

const ofGroup = (name, key, more = {}) => ({ name, kind: 'number', of: (row) => row[key], ...more });

const columns = (history) => [
  {
    name: 'Topic',
    kind: 'name',
    of: ({ topic }) => link(topic.topic, 'topic', topic.topic),
    tone: ({ first }) => !first && 'again',
  },
  {
    name: 'Published',
    kind: 'activity',
    tone: ({ first }) => !first && 'blank',
    of: ({ topic, first }) => {
      if (!first) return el('span');
      const perSecond = rates(history, ({ topics }) => topics.get(topic.topic)?.published);
      return [
        sparkline(`Messages of ${topic.topic} a second`, perSecond),
        el('span', { title: `${number(topic.published)} in all` }, `${number(perSecond.at(-1) ?? 0)}/s`),
      ];
    },
  },
  {
    name: 'Group',
    kind: 'name',
    of: ({ group }) => group ?? el('span', { class: 'dim' }, 'nobody reads it'),
  },
  {
    name: 'State',
    kind: 'state',
    of: (row) =>
      badge(row.group === undefined ? ['dim', 'Kept for whoever comes'] : stateOf(row, row.topic.at)),
  },
  {
    name: 'Waiting',
    kind: 'number',
    of: ({ topic, group, waiting, exact }) =>
      group === undefined ? topic.messages : waiting && about(waiting, exact),
  },
  {
    name: 'Oldest',
    kind: 'number',
    of: ({ oldestMs, topic }) =>
      oldestMs === undefined
        ? undefined
        : el('span', { title: `since ${new Date(topic.at - oldestMs).toISOString()}` }, duration(oldestMs)),
  },
  ofGroup('Held', 'held'),
  ofGroup('Running', 'running'),
  ofGroup('Retries', 'retries'),
  {
    name: 'Dead',
    kind: 'number',
    of: ({ topic, group, deadLetters }) =>
      deadLetters ? link(number(deadLetters), 'dead', topic.topic, group) : deadLetters,
    tone: ({ deadLetters }) => deadLetters > 0 && 'alarm',
  },
  ofGroup('Members', 'members', { tone: ({ members, group }) => group && members === 0 && 'alarm' }),
];

/** What somebody should look at: sentences, the worst first. */
function concerns({ topics, health }) {
  const groups = rowsOf(topics).filter(({ group }) => group !== undefined);
  const told = (test, say) =>
    groups
      .filter(test)
      .map((row) =>
        el('li', {}, link(`${row.group} of ${row.topic.topic}`, 'topic', row.topic.topic), ` ${say(row)}`),
      );
  return [
    ...health.problems.map(({ text }) => el('li', {}, text)),
    ...told(
      ({ members, waiting, held, retries }) => members === 0 && waiting + held + retries > 0,
      ({ waiting, held, retries }) =>
        `is read by no process, and ${many(waiting + held + retries, 'message')} wait`,
    ),
    ...told(
      ({ paused }) => paused,
      ({ waiting, held }) => `is paused; ${many(waiting + held, 'message')} wait`,
    ),
    ...told(
      ({ deadLetters }) => deadLetters > 0,
      ({ deadLetters }) => `has ${many(deadLetters, 'dead letter')}`,
    ),
    ...topics
      .filter(({ overdue }) => overdue > 10)
      .map(({ topic, overdue }) =>
        el(
          'li',
          {},
          link(topic, 'delayed', topic),
          ` has ${number(overdue)} delayed messages that nobody moves`,
        ),
      ),
  ];
}

function healthOf(found) {
  const all = concerns(found);
  const { health, driver, server, service, totals, next } = found;
  const tone = health.status === 'up' ? (all.length > 0 ? 'warn' : 'good') : 'bad';
  const said = {
    good: 'All is well',
    warn: `Up; ${many(all.length, 'thing')} to look at`,
    bad: health.status === 'down' ? 'Down' : 'Degraded',
  };
  const where = [
    service,
    driver,
    server,
    `${many(totals.topics, 'topic')}${next ? ' shown' : ''}`,
    many(totals.groups, 'group'),
  ];
  const rest = all.length - 6;
  return el(
    'section',
    { class: `health ${tone}`, 'aria-label': 'Health' },
    el('div', {}, el('h2', {}, said[tone]), el('p', { class: 'dim' }, where.filter(Boolean).join(' · '))),
    all.length > 0
      ? el(
          'ul',
          {},
          ...all.slice(0, 6),
          rest > 0 ? el('li', { class: 'dim' }, `and ${rest} more`) : undefined,
        )
      : undefined,
  );
}

function totalsOf({ totals }, history) {
  const card = (name, value, values, tone) =>
    el(
      'div',
      { class: `stat ${value !== '0' && value !== '0/s' && tone ? tone : ''}` },
      el('h3', {}, name),
      el('p', {}, value),
      sparkline(name, values),
    );
  const of = (name, key, tone) =>
    card(
      name,
      number(totals[key]),
      history.map((each) => each.totals[key]),
      tone,
    );
  const perSecond = rates(history, (each) => each.totals.published);
  return el(
    'div',
    { class: 'stats' },
    card('Published', `${number(perSecond.at(-1) ?? 0)}/s`, perSecond),
    of('Waiting', 'waiting'),
    of('Running', 'running'),
    of('Retries', 'retries', 'warn'),
    of('Delayed', 'delayed'),
    of('Dead letters', 'deadLetters', 'bad'),
  );
}

/** Finds at once among the topics that are here, and asks for others where there are more. */
function search(show, next) {
  const find = (match) => {
    looked.match = match;
    return show();
  };
  const input = el('input', {
    type: 'search',
    name: 'match',
    placeholder: 'Find a topic',
    'aria-label': 'Topics that contain',
    autocomplete: 'off',
    value: looked.match,
    oninput: ({ target }) => (next === undefined || target.value === '' ? find(target.value) : undefined),
  });
  const onsubmit = (event) => {
    event.preventDefault();
    return find(event.target.elements.match.value);
  };
  return el('form', { role: 'search', onsubmit }, input, next && el('button', {}, 'Find'));
}

async function matching({ topics, next }, get) {
  const { match } = looked;
  if (match === '') return topics;
  if (next !== undefined) return (await get('overview', { match, limit: 100 })).topics;
  return topics.filter(({ topic }) => topic.includes(match));
}

export async function overview({ get, show, live, history }) {
  const found = live ?? (await get('overview', { limit: 100 }));
  const { match } = looked;
  const topics = await matching(found, get);
  const further = el('div', { 'data-kept': 'further' });
  const load = async (after) => {
    const page = await get('overview', { after, limit: 100 });
    return [
      table('Further topics', columns(history), rowsOf(page.topics)),
      more(page.next, load, further),
    ].filter(Boolean);
  };
  const empty =
    match === ''
      ? 'No topics yet. One appears here with the first message that is published at-least-once, or the first group that reads it.'
      : `No topic contains "${match}".`;
  const rows = rowsOf(topics);
  if (match === '' && found.next !== undefined) further.append(more(found.next, load, further));
  return [
    healthOf(found),
    totalsOf(found, history),
    el('div', { class: 'heading' }, el('h2', {}, 'Topics'), search(show, found.next)),
    table('Topics and groups', columns(history), rows, {
      empty,
      key: ({ topic, group }) => hrefOf(topic.topic, group ?? ''),
    }),
    further,
  ].filter(Boolean);
}
overview.live = true;
