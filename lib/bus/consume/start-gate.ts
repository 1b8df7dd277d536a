import { UnrecoverableError } from '../../errors/handler.errors.js';
import type { Middleware } from '../../middleware/middleware.js';

/** What those are told who waited when their subscription closed: their message was not handled, and has not failed. */
export const notStarted = new UnrecoverableError(
  'The subscription was closed before the handler was started',
);

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** Whether the handlers of a subscription may start. One gate for all that stands between a delivery and its handler. */
export class StartGate {
  private shut = false;
  private held = false;
  private waiting: Waiter[] = [];

  /** Nothing may start. */
  get paused(): boolean {
    return this.shut || this.held;
  }

  /** It was paused here, whatever operators say. */
  get isShut(): boolean {
    return this.shut;
  }

  /** Until `resume`. */
  pause(): void {
    this.shut = true;
  }

  /** Ends a pause, and lets in those who wait, in the order they came, unless operators hold the gate. */
  resume(): void {
    this.shut = false;
    this.letIn();
  }

  /** Operators hold the gate shut, or let go of it; a pause is another matter. */
  hold(held: boolean): void {
    this.held = held;
    this.letIn();
  }

  private letIn(): void {
    if (this.paused) return;
    for (const waiter of this.waiting.splice(0)) waiter.resolve();
  }

  /** Resolves when it may start, and rejects with {@link notStarted} when that will never be. */
  async passed(): Promise<void> {
    while (this.paused) await new Promise<void>((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** Sends away those who wait. */
  abandon(): void {
    for (const waiter of this.waiting.splice(0)) waiter.reject(notStarted);
  }
}

/** Has what comes through wait at `gate`. */
export function heldBack(gate: StartGate): Middleware {
  return (next) => (context) => (gate.paused ? gate.passed().then(() => next(context)) : next(context));
}
