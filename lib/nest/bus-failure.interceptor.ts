import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, type Observable, throwError } from 'rxjs';
import { type DiscoBusErrorCode, isDiscoBusError } from '../errors/disco-bus-error.js';
import type { RequestTimeoutError } from '../errors/request.errors.js';

/** What a caller is told of a lock that somebody else holds. */
export const LOCK_IS_BUSY = 'Somebody else holds the lock; try again later';

/** What an HTTP client is told: neither topic nor key, which are the application's own. */
const answers = {
  404: { error: 'Not Found', message: 'Nobody answers this request' },
  423: { error: 'Locked', message: LOCK_IS_BUSY },
  502: { error: 'Bad Gateway', message: 'An answer came that cannot be used' },
  503: { error: 'Service Unavailable', message: 'The service cannot be reached now; try again later' },
  504: { error: 'Gateway Timeout', message: 'No answer came in time; whether it was done is unknown' },
} as const;

const LOST = 'The connection was lost; whether it was done is unknown';

type Status = keyof typeof answers;
type Statuses = Partial<Record<DiscoBusErrorCode, Status>>;

/** Failures at the other side that say nothing of what its handler did. */
const remote: Statuses = {
  DISCO_BACKPRESSURE: 503,
  DISCO_CLOSED: 503,
  DISCO_NOT_CONNECTED: 503,
  DISCO_HANDLER_TIMEOUT: 504,
  DISCO_LOCK_NOT_ACQUIRED: 423,
};

const own: Statuses = {
  ...remote,
  DISCO_NO_RESPONDERS: 404,
  DISCO_REPLY_LOST: 502,
  DISCO_LOCK_UNAVAILABLE: 503,
  DISCO_NOT_REPLICATED: 503,
  DISCO_LOCK_NOT_REPLICATED: 503,
  DISCO_STREAM_FULL: 503,
  DISCO_PUBLISH_TIMEOUT: 503,
  DISCO_PUBLISH_OUTCOME_UNKNOWN: 504,
  DISCO_REQUEST_TIMEOUT: 504,
};

/**
 * The HttpException that says a failure of the bus over HTTP, with the failure as its `cause`; undefined where it is none, or
 * one that no other status than 500 fits, as what a handler threw at the other side. For filters of your own; where the
 * errors come out of controllers {@link BusFailureInterceptor} does it.
 *
 * 404: nobody answers the request. 423: a lock is busy. 503: not connected, the connection was lost, closing, or full; and
 * publishes that were certainly not sent. 504: no answer in time, or a publish that nobody confirmed. 502: an answer that
 * cannot be read.
 */
export function busHttpException(error: unknown): HttpException | undefined {
  const code = codeOf(error);
  const status = code && statusOf(error, code);
  if (!status) return undefined;
  const answer = { statusCode: status, code, ...answers[status], ...(wasLost(error) && { message: LOST }) };
  return new HttpException(answer, status, { cause: error });
}

/** Says failures of requests, publishes and locks over HTTP as {@link busHttpException} does; filters see an HttpException. */
@Injectable()
export class BusFailureInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    return next.handle().pipe(catchError((error) => throwError(() => busHttpException(error) ?? error)));
  }
}

function statusOf(error: unknown, code: DiscoBusErrorCode): Status | undefined {
  if (!isDiscoBusError(error)) return remote[code];
  if (wasLost(error)) return 503;
  if (code === 'DISCO_DRIVER') return error.retryable ? 503 : undefined;
  return isDiscoBusError(error, 'DISCO_REMOTE') ? remote[code] : own[code];
}

function wasLost(error: unknown): boolean {
  return (
    isDiscoBusError(error, 'DISCO_REQUEST_TIMEOUT') &&
    (error as RequestTimeoutError).reason === 'connection-lost'
  );
}

/** The code of a failure: of a RemoteError, and of what a client of a microservice is told, that of the other side. */
function codeOf(error: unknown): DiscoBusErrorCode | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, remoteCode } = error as { code?: unknown; remoteCode?: unknown };
  const told = isDiscoBusError(error, 'DISCO_REMOTE') ? remoteCode : code;
  return typeof told === 'string' ? (told as DiscoBusErrorCode) : undefined;
}
