import { callGuest, isLate, partOfGuest } from '../errors/guest.js';
import { toHeaders } from '../message/headers.js';
import type { Trace, TracedOperation, TraceOutcome, Tracing } from './tracing.js';

/** `tracing` as a guest: whatever it does, messages are sent and handled, once. */
export function guardedTracing(tracing: Tracing): Tracing {
  return {
    begin: (operation) => {
      const trace = partOfGuest<Trace>(tracing, 'tracing.begin', 'run', () => tracing.begin(operation));
      return new GuardedTrace(tracing, trace, operation);
    },
  };
}

class GuardedTrace implements Trace {
  private ended = false;

  constructor(
    private readonly owner: Tracing,
    private readonly trace: Trace | undefined,
    private readonly operation: TracedOperation,
  ) {}

  /** Headers that no message can carry are left out: a publish must not fail by them. */
  headers(index?: number): Readonly<Record<string, string>> | undefined {
    let headers: Readonly<Record<string, string>> | undefined;
    callGuest(this.owner, 'tracing.headers', () => {
      const given = this.trace?.headers(index);
      if (isLate(this.owner, 'tracing.headers', given, 'headers')) return;
      headers = given && toHeaders(given);
    });
    return headers;
  }

  run<Result>(work: () => Result): Result {
    const { trace, owner, operation } = this;
    if (!trace) return work();
    let outcome: { readonly value: Result } | { readonly error: unknown } | undefined;
    const once = () => {
      if (outcome) return;
      try {
        outcome = { value: work() };
      } catch (error) {
        outcome = { error };
      }
    };
    callGuest(owner, `tracing.run (${operation.type})`, () => trace.run(once));
    once();
    if ('error' in outcome!) throw outcome.error;
    return outcome!.value;
  }

  end(outcome?: TraceOutcome): void {
    if (this.ended) return;
    this.ended = true;
    callGuest(this.owner, 'tracing.end', () => this.trace?.end(outcome));
  }
}
