const base = new URL('.', location.href).href.replace(/#.*$/, '');

const address = (path, query) => {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') url.searchParams.set(name, value);
  return url;
};

async function answered(response) {
  const body = await response.json().catch(() => undefined);
  // An interceptor of the application may have put the answer into an envelope.
  if (response.ok) return body;
  const error = new Error(body?.message ?? `The server answered ${response.status}`);
  // How many an action would touch by now.
  error.count = body?.count;
  throw error;
}

export const get = async (look, query = {}) =>
  answered(await fetch(address(`api/${look}`, query), { cache: 'no-store' }));

export const act = async (action, body) =>
  answered(
    await fetch(address(`api/actions/${action}`, {}), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-disco-dashboard': '1' },
      body: JSON.stringify(body),
    }),
  );

/** Listens to the live overview while the page is seen; begins again by itself. One stream for each page. */
export function listen(onOverview, onAway) {
  let source;
  let again;
  const stop = () => {
    clearTimeout(again);
    source?.close();
    source = undefined;
  };
  const begin = () => {
    stop();
    if (document.hidden) return;
    source = new EventSource(address('api/live', {}));
    source.addEventListener('overview', (event) => onOverview(JSON.parse(event.data)));
    source.onerror = () => {
      stop();
      onAway();
      again = setTimeout(begin, 2000);
    };
  };
  document.addEventListener('visibilitychange', begin);
  begin();
}
