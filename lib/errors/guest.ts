import { isError } from './is-error.js';

/** Guests whose fault was told. */
const told = new WeakSet<object>();

/**
 * Calls what a user gave to be told of something, and not to decide it: a logger, a metrics sink, a listener. Whether it
 * throws, rejects or is not there at all, its caller goes on. The first fault of each `guest` is told as a process warning
 * of the code `DISCO_GUEST`, without what was thrown by others than errors. `what` names it there.
 */
export function callGuest(guest: object, what: string, call: () => unknown): void {
  try {
    const result = call();
    if (result !== undefined) watch(guest, what, result);
  } catch (error) {
    tell(guest, what, error);
  }
}

/** `guest` with those of its methods that are named, each called as {@link callGuest} does. `owner`: whose fault it is, told once. @default guest */
export function guardedGuest<Guest extends object>(
  guest: Guest,
  what: string,
  names: readonly (keyof Guest & string)[],
  owner: object = guest,
): Guest {
  const guarded: Partial<Record<keyof Guest, unknown>> = {};
  for (const name of names) {
    const label = `${what}.${name}`;
    // As callGuest, written out: it is called several times for each message, and a closure costs more than the call.
    guarded[name] = (...args: unknown[]): void => {
      try {
        const result = (guest[name] as (...given: unknown[]) => unknown)(...args);
        if (result !== undefined) watch(owner, label, result);
      } catch (error) {
        tell(owner, label, error);
      }
    };
  }
  return guarded as Guest;
}

/** A guest may be asynchronous: nobody waits for it, and its rejection ends here. */
function watch(guest: object, what: string, result: unknown): void {
  const { then } = Object(result) as { then?: unknown };
  if (typeof then === 'function') then.call(result, undefined, (error: unknown) => tell(guest, what, error));
}

function tell(guest: object, what: string, error: unknown): void {
  if (told.has(guest)) return;
  told.add(guest);
  try {
    const text = isError(error) ? `${error.name}: ${error.message}` : `a value of type ${typeof error}`;
    process.emitWarning(`${what} threw, which changes nothing: ${text.slice(0, 300)}`, {
      type: 'DiscoBusWarning',
      code: 'DISCO_GUEST',
    });
  } catch {
    // Nobody is left to be told.
  }
}
