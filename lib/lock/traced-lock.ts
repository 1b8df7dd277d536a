import type { TracedAcquire, TracedHold, Tracing } from '../tracing/tracing.js';

/** Runs `acquire`, which resolves with null where the lock is not free. */
export function traced<Result>(
  tracing: Tracing | undefined,
  keys: readonly string[],
  acquire: () => Promise<Result>,
): Promise<Result> {
  return tracing ? within(tracing, { type: 'acquire-lock', keys }, acquire) : acquire();
}

/** Runs `work`, and gives the lock back, as what the lock is held for. */
export function held<Result>(
  tracing: Tracing,
  keys: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  return within(tracing, { type: 'hold-lock', keys }, work);
}

async function within<Result>(
  tracing: Tracing,
  operation: TracedAcquire | TracedHold,
  work: () => Promise<Result>,
): Promise<Result> {
  const trace = tracing.begin(operation);
  try {
    const result = await trace.run(work);
    trace.end({ unsuccessful: result === null && operation.type === 'acquire-lock' });
    return result;
  } catch (error) {
    trace.end({ error });
    throw error;
  }
}
