/** An element with properties and children. All text becomes text nodes: what is stored stays text. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith('on')) element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(
    ...children.flat(9).filter((child) => child !== undefined && child !== null && child !== ''),
  );
  return element;
}

/** An element of a picture. */
export function svg(name, properties, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const hrefOf = (...parts) => `#/${parts.map(encodeURIComponent).join('/')}`;
export const link = (text, ...parts) => el('a', { href: hrefOf(...parts) }, text);
export const button = (text, onclick, { danger, label } = {}) =>
  el('button', { type: 'button', class: danger && 'danger', 'aria-label': label, onclick }, text);
export const failure = (text) => el('p', { class: 'failure', role: 'alert' }, text);

const handlers = ['onclick', 'onsubmit', 'oninput', 'ontoggle'];
const alike = (one, other) => one.nodeName === other.nodeName && one.dataset?.key === other.dataset?.key;

function renew(element, wanted) {
  if (element.nodeType === Node.TEXT_NODE) {
    if (element.data !== wanted.data) element.data = wanted.data;
    return;
  }
  for (const { name } of [...element.attributes])
    if (name !== 'open' && !wanted.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of wanted.attributes)
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  for (const handler of handlers) element[handler] = wanted[handler];
  if (!element.dataset.kept) morph(element, [...wanted.childNodes]);
}

/**
 * Makes the children of `holder` what is wanted, by as few changes as that takes: what has the focus keeps it, what is typed,
 * selected, opened and scrolled stays. Elements with the same `data-key` are the same; what has `data-kept` fills itself.
 */
export function morph(holder, wanted) {
  let at = holder.firstChild;
  for (const child of wanted) {
    let found = at;
    while (found && child.dataset?.key !== undefined && !alike(found, child)) found = found.nextSibling;
    if (!found || !alike(found, child)) {
      holder.insertBefore(child, at);
      continue;
    }
    if (found !== at) holder.insertBefore(found, at);
    else at = at.nextSibling;
    renew(found, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
