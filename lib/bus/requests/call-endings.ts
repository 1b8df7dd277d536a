import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { RemoteError, type RemoteFailure, RequestTimeoutError } from '../../errors/request.errors.js';
import type { RequestStatus } from '../../metrics/metrics.js';

/** How a request ended that ended with `error`. */
export function statusOfFailure(error: unknown): RequestStatus {
  if (isDiscoBusError(error, 'DISCO_REQUEST_TIMEOUT')) return 'timeout';
  return isDiscoBusError(error, 'DISCO_ABORTED') ? 'cancelled' : 'error';
}

/** What a publish of a request failed with, as its caller is told: that a message was perhaps sent means that it was perhaps handled. */
export function unsentError(
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs: number },
  publishTimeoutMs: number,
  error: unknown,
): unknown {
  const timedOut = isDiscoBusError(error, 'DISCO_PUBLISH_TIMEOUT');
  if (timedOut && timeoutMs <= publishTimeoutMs)
    return new RequestTimeoutError(name, timeoutMs, { cause: error });
  if (!isDiscoBusError(error, 'DISCO_PUBLISH_OUTCOME_UNKNOWN')) return error;
  return new RequestTimeoutError(name, timeoutMs, { reason: 'connection-lost', cause: error });
}

/** What the other side failed with. */
export function remoteError(topic: string, details: unknown): RemoteError {
  if (typeof details === 'string')
    return new RemoteError(topic, { message: details.slice(0, 1000) }, details);
  const { name, message, code } = (details ?? {}) as Partial<Record<keyof RemoteFailure, unknown>>;
  const failure = {
    name: typeof name === 'string' ? name : undefined,
    message: typeof message === 'string' ? message : 'The handler failed',
    code: typeof code === 'string' ? code : undefined,
  };
  return new RemoteError(topic, failure, details);
}
