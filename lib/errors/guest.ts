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

/**
 * What `make` answers, where that is a part of `guest`: an object with the method `needs`. Anything else, as a promise, which
 * comes too late, is left out and told as a fault of the guest; a rejection ends here.
 */
export function partOfGuest<Part extends object>(
  guest: object,
  what: string,
  needs: keyof Part & string,
  make: () => Part | undefined,
): Part | undefined {
  let part: Part | undefined;
  callGuest(guest, what, () => {
    const answer = make();
    if (typeof Object(answer)[needs] === 'function') part = answer;
    else return refused(guest, what, answer, `an object with the method "${needs}"`);
  });
  return part;
}

/** Whether `answer` is a promise, where one comes too late. It is told as a fault of `guest`, with what was `wanted`. */
export function isLate(guest: object, what: string, answer: unknown, wanted: string): boolean {
  if (typeof Object(answer).then !== 'function') return false;
  watch(guest, what, refused(guest, what, answer, wanted));
  return true;
}

function refused(guest: object, what: string, answer: unknown, wanted: string): unknown {
  const given = typeof Object(answer).then === 'function' ? 'a promise' : `a value of type ${typeof answer}`;
  tellOnce(guest, () => `${what} answered ${given} and not ${wanted}; it is left out`);
  return answer;
}

/** A guest may be asynchronous: nobody waits for it, and its rejection ends here. */
function watch(guest: object, what: string, result: unknown): void {
  const { then } = Object(result) as { then?: unknown };
  if (typeof then === 'function') then.call(result, undefined, (error: unknown) => tell(guest, what, error));
}

function tell(guest: object, what: string, error: unknown): void {
  tellOnce(guest, () => {
    const text = isError(error) ? `${error.name}: ${error.message}` : `a value of type ${typeof error}`;
    return `${what} threw, which changes nothing: ${text.slice(0, 300)}`;
  });
}

function tellOnce(guest: object, text: () => string): void {
  if (told.has(guest)) return;
  told.add(guest);
  try {
    process.emitWarning(text(), { type: 'DiscoBusWarning', code: 'DISCO_GUEST' });
  } catch {
    // Nobody is left to be told.
  }
}
