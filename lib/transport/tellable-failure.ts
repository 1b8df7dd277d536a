import type { PayloadInvalidError } from '../errors/handler.errors.js';
import { isError } from '../errors/is-error.js';

/** What Nest tells a client of a failure that it must know nothing of. */
export const INTERNAL_ERROR = Object.freeze({ status: 'error', message: 'Internal server error' });

/**
 * An error as the client may see it: what a filter made of it, and of an Error no more than its message. Where no filter has
 * made anything of it, a client whose payload was refused is told why: it is the one who can set it right.
 */
export function tellableFailure(thrown: unknown, refusal: PayloadInvalidError | undefined): unknown {
  if (refusal && isUntold(thrown)) {
    const { name, code, message } = refusal;
    return { status: 'error', message, name, code };
  }
  if (isError(thrown)) return { status: 'error', message: thrown.message };
  return thrown || INTERNAL_ERROR;
}

/** Whether that is what Nest says where no filter has said anything. */
function isUntold(thrown: unknown): boolean {
  const { status, message } = (thrown ?? INTERNAL_ERROR) as { status?: unknown; message?: unknown };
  return status === INTERNAL_ERROR.status && message === INTERNAL_ERROR.message;
}
