import { button, el, link } from './dom.js';
import { badge, facts, heading, owner, table, tabs } from './parts.js';
import { about, bytes, duration, many, number, stateOf, when } from './words.js';

const memberColumns = (at) => [
  {
    name: 'Member',
    kind: 'name',
    of: (member) => (member.host ? el('span', {}, ...owner(member)) : member.id),
  },
  { name: 'Version', of: ({ version }) => version },
  {
    name: 'Alive',
    of: ({ aliveUntil }) =>
      aliveUntil === undefined || aliveUntil > at ? 'yes' : badge(['bad', 'not heard of']),
  },
  { name: 'Held', kind: 'number', of: ({ held }) => held },
  { name: 'Running', kind: 'number', of: ({ running }) => running },
  { name: 'Longest', kind: 'number', of: ({ runningSince }) => runningSince && duration(at - runningSince) },
];

/** What operators may do with a group. Whatever cannot be taken back is asked for, with how many it touches. */
function actionsOf(group, topic, perform) {
  const target = { topic, group: group.group };
  const where = `the group "${group.group}" of "${topic}"`;
  const backlog = group.waiting + group.retries;
  const limited = (event) => {
    event.preventDefault();
    const { value } = event.target.elements.limit;
    return perform('limit', { ...target, limit: value === '' ? null : Number(value) });
  };
  const onlyTo = el('input', {
    type: 'number',
    name: 'limit',
    min: '1',
    placeholder: 'none',
    'aria-label': `Limit of ${where}: messages that each process handles at a time`,
    value: group.limit,
  });
  const pause = () =>
    perform('pause', target, () => ({
      text: `No process reads for ${where} until somebody resumes it. What runs now runs to its end.`,
      yes: 'Pause',
    }));
  const back = () =>
    perform('seek', { ...target, to: 'beginning' }, () => ({
      text: `Moves ${where} back to the oldest message that is kept. It handles again what it has handled.`,
      yes: 'Move back',
    }));
  const skip = () =>
    perform('seek', { ...target, to: 'end', skip: true, confirm: group.waiting }, (count) => ({
      text: `Moves ${where} to the end. ${many(count, 'message')} that wait are never handled by it.`,
      yes: `Skip ${number(count)}`,
      danger: true,
    }));
  const purge = () =>
    perform('purge', { ...target, confirm: backlog }, (count) => ({
      text: `Drops ${many(count, 'message')} of ${where} for good: what waits, and what is to be tried again.`,
      yes: `Drop ${number(count)}`,
      danger: true,
    }));
  return el(
    'div',
    { class: 'actions', role: 'group', 'aria-label': `Actions on ${where}` },
    group.paused ? button('Resume', () => perform('resume', target)) : button('Pause', pause),
    el(
      'form',
      { class: 'joined', onsubmit: limited },
      el('label', {}, 'Limit ', onlyTo),
      el('button', {}, 'Set'),
    ),
    button('From the beginning', back),
    button('To the end', skip, { danger: true }),
    button('Purge', purge, { danger: true }),
  );
}

function card({ group, reasons }, { topic, at }, { readOnly, perform }) {
  const { deadLetters, oldestUnhandledAt, nextRetryAt, position } = group;
  const dead = deadLetters.messages && link(number(deadLetters.messages), 'dead', topic, group.group);
  const titled = `group-${group.group}`;
  return el(
    'section',
    { class: 'card', 'aria-label': `Group ${group.group}`, 'data-key': titled },
    el('div', { class: 'heading' }, el('h3', {}, group.group), badge(stateOf(group, at))),
    facts([
      ['Waiting', about(group.waiting, group.exact)],
      ['Oldest', oldestUnhandledAt && when(oldestUnhandledAt, at)],
      ['Held', group.held],
      ['Running', group.running],
      ['Retries', group.retries],
      ['Next retry', nextRetryAt && when(nextRetryAt, at)],
      ['Dead letters', dead, deadLetters.messages > 0 && 'alarm'],
      ['Limit', group.limit],
    ]),
    el('h4', {}, 'Why does it wait?'),
    el(
      'ul',
      { class: 'reasons' },
      ...reasons.map(({ reason, text }) => el('li', { class: reason }, `${text}.`)),
    ),
    table('Members', memberColumns(at), group.members, { empty: 'No process reads this group.' }),
    position && el('p', { class: 'dim' }, 'Has read up to ', el('code', {}, position)),
    readOnly ? undefined : actionsOf(group, topic, perform),
  );
}

const handlerColumns = [
  { name: 'Handler', kind: 'name', of: ({ handler }) => handler },
  { name: 'Group', of: ({ group }) => group },
  { name: 'Concurrency', kind: 'number', of: ({ concurrency }) => concurrency },
  { name: 'Running', kind: 'number', of: ({ running }) => running },
  { name: 'Live', of: ({ live }) => (live ? 'yes' : 'not yet') },
];

export async function topicView(context) {
  const { get, readOnly, perform } = context;
  const topic = context.parts[0];
  const found = await get('topic', { topic });
  const asked = found.groups.map(async (group) => {
    const { reasons } = await get('explain', { topic, group: group.group });
    return { group, reasons };
  });
  const groups = await Promise.all(asked);
  const kept = found.messages + found.delayed;
  const purge = () =>
    perform('purge', { topic, confirm: kept }, (count) => ({
      text: `Drops ${many(count, 'message')} of "${topic}" for good: what is kept, and what is delayed.`,
      yes: `Drop ${number(count)}`,
      danger: true,
    }));
  const nobody = [
    el('p', { class: 'empty' }, 'No group reads this topic. Its messages are kept for the first that comes.'),
    readOnly || kept === 0
      ? undefined
      : el('div', { class: 'actions' }, button('Purge', purge, { danger: true })),
  ];
  return [
    heading(topic, { path: [el('a', { href: '#/' }, 'Topics')] }),
    tabs(topic, 'topic', { topic: found.groups.length, messages: found.messages, delayed: found.delayed }),
    facts([
      ['Messages', about(found.messages, found.exact)],
      ['Entries', found.entries],
      ['Size', bytes(found.bytes)],
      ['Published', found.published],
      ['Oldest', found.oldestAt && when(found.oldestAt, found.at)],
      ['Delayed', found.delayed],
      ['Overdue', found.overdue || undefined, 'alarm'],
    ]),
    groups.length > 0
      ? el('div', { class: 'cards' }, ...groups.map((each) => card(each, found, context)))
      : el('div', {}, ...nobody.filter(Boolean)),
    table('Handlers in this process', handlerColumns, found.subscriptions, {
      empty: 'This process has no handler of the topic; others may have.',
    }),
  ];
}
topicView.live = true;
