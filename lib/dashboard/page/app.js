import { act, get, listen } from './client.js';
import { el } from './dom.js';
import { views } from './views.js';

const byId = (id) => document.getElementById(id);
const main = byId('main');
const state = { settings: undefined, live: undefined, history: new Map(), away: false };
let shown = 0;

const bus = () => byId('bus').value || undefined;

function banner() {
  const own = state.live?.buses.find((each) => each.bus === bus());
  const text = state.away
    ? 'The server does not answer. The numbers are old; this page comes back by itself.'
    : (own?.error?.message ?? '');
  byId('banner').hidden = text === '';
  if (byId('banner').textContent !== text) byId('banner').textContent = text;
}

/** Asks before anything is done; resolves with whether it may be. */
function confirmed(question, yes) {
  const dialog = byId('dialog');
  byId('question').textContent = question;
  byId('yes').textContent = yes;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }),
  );
}

async function perform(question, yes, action, body) {
  if (question !== undefined && !(await confirmed(question, yes))) return;
  try {
    const done = await act(action, { bus: bus(), ...body });
    byId('said').textContent = `${action}: ${JSON.stringify(done)}`;
  } catch (error) {
    byId('said').textContent = `${action}: ${error.message}`;
  }
  await show();
}

async function show({ focus = false } = {}) {
  const turn = ++shown;
  const [name = '', ...parts] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const view = views[name] ?? views[''];
  const context = {
    ...{ state, parts, perform, readOnly: state.settings?.readOnly !== false, show },
    get: (look, query) => get(look, { bus: bus(), ...query }),
    live: state.live?.buses.find((each) => each.bus === bus()),
    history: state.history.get(bus()) ?? [],
  };
  let content;
  try {
    content = await view(context);
  } catch (error) {
    content = [
      el('p', { class: 'bad', role: 'alert' }, error.message),
      el('button', { onclick: () => show() }, 'Try again'),
    ];
  }
  if (turn !== shown) return;
  main.replaceChildren(...content);
  if (focus) main.focus();
}

function heard(overview) {
  state.away = false;
  state.live = overview;
  for (const { bus: name, totals } of overview.buses) {
    if (totals === undefined) continue;
    const history = state.history.get(name) ?? [];
    history.push(totals);
    if (history.length > 150) history.shift();
    state.history.set(name, history);
  }
  if (state.settings === undefined) void settle();
  banner();
  const onOverview = /^#?\/?$/.test(location.hash);
  // What somebody types into or has chosen is not taken away.
  if (onOverview && !main.contains(document.activeElement)) void show();
}

async function settle() {
  try {
    state.settings = await get('settings');
  } catch {
    return;
  }
  const { buses, readOnly, version } = state.settings;
  byId('bus').replaceChildren(...buses.map((each) => el('option', { value: each.bus }, each.bus)));
  byId('mode').textContent = `${readOnly ? 'read-only' : 'actions allowed'} · ${version}`;
  await show();
}

byId('bus').addEventListener('change', () => {
  banner();
  void show();
});
addEventListener('hashchange', () => {
  byId('said').textContent = '';
  void show({ focus: true });
});
listen(heard, () => {
  state.away = true;
  banner();
});
await settle();
