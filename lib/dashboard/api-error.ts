import { errorLine } from '../bus/options/bus-logger.js';
import { type DiscoBusErrorCode, isDiscoBusError } from '../errors/disco-bus-error.js';
import { busHttpException } from '../nest/bus-failure.interceptor.js';

/** What the API answers in place of what was asked for. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** A fixed word. */
    readonly code: string,
    message: string,
    /** More that the body says. */
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  /** The body of the answer. */
  get body(): object {
    return { statusCode: this.status, code: this.code, message: this.message, ...this.more };
  }
}

/** What was given cannot be. */
export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BAD_REQUEST', message);
}

/** What was named is not there. */
export function notFound(message: string): ApiError {
  return new ApiError(404, 'NOT_FOUND', message);
}

const statuses: Partial<Record<DiscoBusErrorCode, number>> = {
  DISCO_CONFIGURATION: 400,
  DISCO_TOPIC_INVALID: 400,
  DISCO_MESSAGE_INVALID: 400,
  DISCO_CODEC: 400,
  DISCO_WOULD_LOSE_MESSAGES: 409,
  DISCO_CLOSED: 503,
};

/** How the API says that something failed. What is none of the bus's errors is a 500 that does not tell it. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (!isDiscoBusError(error)) return new ApiError(500, 'INTERNAL', 'Something failed; the log says what');
  const { code } = error;
  const status = statuses[code] ?? busHttpException(error)?.getStatus() ?? 500;
  return new ApiError(status, code, errorLine(error));
}

/** Rejects with a 503 where `asked` has not settled in time. */
export async function within<Answer>(ms: number, what: string, asked: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ApiError(503, 'NO_ANSWER', `${what} has not answered within ${ms} ms`);
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
