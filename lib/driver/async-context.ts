import { AsyncResource } from 'node:async_hooks';

/** The context in which the package was loaded: nobody's. Nothing of a user's ever runs in it itself. */
const nobodys = new AsyncResource('DiscoBus');
const newScope = () => new AsyncResource('DiscoDelivery');

/**
 * Calls `run` outside anybody's AsyncLocalStorage context: not in that of the publisher, nor of whoever subscribed,
 * connected or resumed. What `run` enters with `enterWith` stays its own.
 */
export function inNobodysContext<Args extends unknown[]>(run: (...args: Args) => void, ...args: Args): void {
  nobodys.runInAsyncScope(newScope).runInAsyncScope(run, undefined, ...args);
}

/** The same for what goes on after its caller, as readers and timers do; returns what `run` returns. */
export function fromNobodysContext<Result>(run: () => Result): Result {
  return nobodys.runInAsyncScope(newScope).runInAsyncScope(run);
}
