import { act, get, listen } from './client.js';
import { el, failure, morph } from './dom.js';
import { dead } from './view-dead.js';
import { delayed, messages } from './view-messages.js';
import { audit, instances, locks } from './view-more.js';
import { overview } from './view-overview.js';
import { topicView } from './view-topic.js';
import { clock, outcome } from './words.js';

/** By the first part of the address behind `#/`. */
const views = { '': overview, topic: topicView, messages, delayed, dead, locks, instances, audit };
/** History is kept for 5 minutes. */
const KEPT = 150;

const byId = (id) => document.getElementById(id);
const main = byId('main');
/** Of each bus by its name: the last overview, what is wrong with it, and how it was. */
const [last, wrong, histories] = [new Map(), new Map(), new Map()];
let settings;
let away = false;
let shown = 0;
let showing = false;

const bus = () => byId('bus').value || undefined;

function placed() {
  let parts = [];
  try {
    parts = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  } catch {
    // An address that nobody made here: the overview.
  }
  const [name = '', ...rest] = parts;
  return Object.hasOwn(views, name) ? { name, parts: rest } : { name: '', parts: [] };
}

function banner() {
  const problem = away ? 'The server does not answer' : wrong.get(bus());
  const at = last.get(bus())?.at;
  const old = at === undefined ? '' : ` What you see is of ${clock(at)}.`;
  const text = problem === undefined ? '' : `${problem}.${old} This page comes back by itself.`;
  byId('banner').hidden = text === '';
  if (byId('banner').textContent !== text) byId('banner').textContent = text;
  const tone = text === '' ? 'live' : 'away';
  byId('pulse').className = tone;
  byId('pulse').textContent = settings === undefined && tone === 'live' ? 'connecting' : tone;
}

/** Asks before anything is done; resolves with whether it may be. */
function confirmed({ text, yes, danger }) {
  const dialog = byId('dialog');
  byId('question').textContent = text;
  byId('yes').textContent = yes;
  byId('yes').className = danger ? 'danger' : 'main';
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === 'yes');
  });
}

function say(text, bad = false) {
  byId('said').textContent = text;
  byId('said').className = bad ? 'bad' : '';
}

/**
 * Does `action` once whoever asked has agreed to `question`, which tells how many it touches; asks again where those have
 * become more meanwhile.
 */
async function perform(action, body, question) {
  let { confirm } = body;
  for (;;) {
    if (question !== undefined && !(await confirmed(question(confirm)))) return;
    try {
      say(outcome(action, body, await act(action, { bus: bus(), ...body, confirm })));
      break;
    } catch (error) {
      say(`Not done: ${error.message}.`, true);
      if (question === undefined || !(error.count > confirm)) break;
      confirm = error.count;
    }
  }
  await show();
}

function mark(name) {
  const current = `#/${['locks', 'instances', 'audit'].includes(name) ? name : ''}`;
  for (const each of byId('views').children) {
    if (each.getAttribute('href') === current) each.setAttribute('aria-current', 'page');
    else each.removeAttribute('aria-current');
  }
}

/** Shows the view that the address names. `anew`: somebody has gone there. */
async function show({ anew = false } = {}) {
  const turn = ++shown;
  const { name, parts } = placed();
  const view = views[name];
  const context = {
    ...{ parts, perform, show },
    readOnly: settings?.readOnly !== false,
    payloads: settings?.payloads ?? 'hidden',
    get: (look, query) => get(look, { bus: bus(), ...query }),
    live: last.get(bus()),
    history: histories.get(bus()) ?? [],
  };
  showing = true;
  const content = await view(context).catch((error) => [
    el('h2', {}, 'This cannot be shown'),
    failure(error.message),
    el('button', { type: 'button', onclick: () => show() }, 'Try again'),
  ]);
  if (turn !== shown) return;
  showing = false;
  document.title = [...parts.slice(0, 1), name, 'Disco Bus'].filter(Boolean).join(' · ');
  mark(name);
  const focused = document.activeElement;
  if (anew) main.replaceChildren(...content);
  else morph(main, content);
  if (anew) scrollTo(0, 0);
  // What had the focus may be gone with what was done.
  if (anew || (focused !== document.activeElement && !main.contains(focused))) main.focus();
}

function heard({ buses }) {
  away = false;
  for (const found of buses) {
    if (found.totals === undefined) {
      wrong.set(found.bus, found.error?.message.replace(/^\w+Error: /, '') ?? 'The bus does not answer');
      continue;
    }
    wrong.delete(found.bus);
    last.set(found.bus, found);
    const { at, totals, topics } = found;
    const history = histories.get(found.bus) ?? [];
    history.push({ at, totals, topics: new Map(topics.map((topic) => [topic.topic, topic])) });
    if (history.length > KEPT) history.shift();
    histories.set(found.bus, history);
  }
  if (settings === undefined) void settle();
  banner();
  if (wrong.has(bus()) || showing) return;
  // A view that could not be shown may be one now.
  if (views[placed().name].live || main.querySelector(':scope > .failure') !== null) void show();
}

async function settle() {
  try {
    settings = await get('settings');
  } catch (error) {
    main.replaceChildren(el('h2', {}, 'This cannot be shown'), failure(error.message));
    return;
  }
  const { buses, readOnly, version } = settings;
  byId('bus').replaceChildren(...buses.map((each) => el('option', { value: each.bus }, each.bus)));
  byId('buses').hidden = buses.length < 2;
  byId('mode').textContent = readOnly ? 'read-only' : 'actions allowed';
  byId('mode').className = readOnly ? '' : 'allowed';
  byId('version').textContent = version;
  banner();
  await show();
}

// Its address is none of a view.
byId('skip').onclick = (event) => {
  event.preventDefault();
  main.focus();
};
byId('bus').onchange = () => {
  banner();
  void show({ anew: true });
};
addEventListener('hashchange', () => {
  say('');
  void show({ anew: true });
});
listen(heard, () => {
  away = true;
  banner();
});
await settle();
