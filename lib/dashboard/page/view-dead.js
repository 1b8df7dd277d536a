import { button, el, failure, link } from './dom.js';
import { badge, code, facts, headersOf, heading, more, payloadOf, table } from './parts.js';
import { many, number, when } from './words.js';

const said = (error) => (error ? [error.message, el('small', {}, error.name)] : undefined);

/** A dead letter that shows its message when it is opened. */
function opening(get, target, { position, id }) {
  const detail = el('div', { class: 'detail' });
  const opened = el('details', { 'data-kept': position }, el('summary', {}, code(id ?? position)), detail);
  opened.ontoggle = async () => {
    if (!opened.open || detail.hasChildNodes()) return;
    try {
      const { message, bytes, error } = await get('dead-letter', { ...target, position });
      detail.replaceChildren(
        facts([
          ['Position', code(position)],
          ['Bytes', bytes],
          ['Published', when(message.publishedAt)],
        ]),
        error?.stack ? el('pre', { tabindex: '0', role: 'group', 'aria-label': 'stack' }, error.stack) : '',
        ...[headersOf(message), payloadOf(message)].filter(Boolean),
      );
    } catch (error) {
      detail.replaceChildren(failure(error.message));
    }
  };
  return opened;
}

const columns = ({ get, readOnly, perform }, target, letters) => {
  const replay = ({ position }) =>
    perform('replay', { ...target, position }, () => ({
      text: `Hands 1 dead letter back to the group "${target.group}", which handles it as if it were new.`,
      yes: 'Replay 1',
    }));
  const remove = ({ position }) =>
    perform('remove', { ...target, position }, () => ({
      text: 'Removes 1 dead letter for good.',
      yes: 'Remove 1',
      danger: true,
    }));
  return [
    { name: 'Message', kind: 'ids', of: (letter) => opening(get, target, letter) },
    { name: 'Reason', of: ({ reason }) => badge(['bad', reason]) },
    { name: 'Error', kind: 'wide', of: ({ error }) => said(error) },
    { name: 'Failed', kind: 'nowrap', of: ({ failedAt }) => when(failedAt) },
    { name: 'Attempts', kind: 'number', of: ({ attempts }) => attempts },
    { name: 'Replays', kind: 'number', of: ({ replays }) => replays },
    ...(letters.some(({ messages = 1 }) => messages > 1)
      ? [{ name: 'Messages', kind: 'number', of: ({ messages = 1 }) => messages }]
      : []),
    ...(readOnly
      ? []
      : [
          {
            name: 'Actions',
            kind: 'nowrap',
            of: (letter) =>
              el(
                'div',
                { class: 'actions' },
                button('Replay', () => replay(letter), { label: `Replay ${letter.id ?? letter.position}` }),
                button('Remove', () => remove(letter), {
                  danger: true,
                  label: `Remove ${letter.id ?? letter.position}`,
                }),
              ),
          },
        ]),
  ];
};

/** The reasons to choose from, and the replay of all that are chosen. */
function choice({ byReason, entries }, { topic, group, reason }, { readOnly, perform }) {
  const count = reason === undefined ? entries : (byReason[reason] ?? 0);
  const one = (text, many, chosen, ...where) => {
    const made = link(text, 'dead', topic, group, ...where);
    made.append(el('span', { class: 'count' }, number(many)));
    if (chosen) made.setAttribute('aria-current', 'page');
    return made;
  };
  const all = () =>
    perform('replay-all', { topic, group, reason, confirm: count }, (now) => ({
      text: `Hands ${many(now, 'dead letter')} back to the group "${group}" of "${topic}".`,
      yes: `Replay ${number(now)}`,
    }));
  return el(
    'div',
    { class: 'heading' },
    el(
      'nav',
      { class: 'tabs', 'aria-label': 'Reasons' },
      one('All', entries, reason === undefined),
      ...Object.entries(byReason).map(([name, many]) => one(name, many, name === reason, name)),
    ),
    readOnly || count === 0 ? undefined : button(`Replay all ${number(count)}`, all),
  );
}

export async function dead(context) {
  const { get, show } = context;
  const [topic, group, reason] = context.parts;
  const target = { topic, group };
  const holder = el('div', {});
  const first = await get('dead-letters', { ...target, reason });
  const load = async (after) => {
    const page = after === undefined ? first : await get('dead-letters', { ...target, reason, after });
    const list = table(
      'Dead letters, the oldest first',
      columns(context, target, page.letters),
      page.letters,
      {
        key: ({ position }) => position,
        empty: 'No dead letters: nothing was given up.',
      },
    );
    return [list, more(page.next, load, holder)].filter(Boolean);
  };
  holder.append(...(await load()));
  const path = [el('a', { href: '#/' }, 'Topics'), link(topic, 'topic', topic)];
  return [
    heading(`Dead letters of ${group}`, { path, show }),
    choice(first, { ...target, reason }, context),
    holder,
  ];
}
