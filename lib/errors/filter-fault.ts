import { types } from 'node:util';
import { ConfigurationError } from './bus.errors.js';

/** A guard, interceptor or filter asked for the HTTP request or response of what is a message. */
export class NotHttpError extends ConfigurationError {
  constructor(asked: string) {
    super(
      `${asked} was asked of a message handler, where there is no HTTP request: look at context.getType(), which is 'disco', or leave global enhancers out with enhancers: 'own'`,
    );
  }
}

/**
 * Whether a filter threw `thrown` by mistake, as one that is made for HTTP does with a message ("response.status is not a
 * function"): that is not what it made of the failure on purpose.
 */
export function isFilterFault(thrown: unknown): boolean {
  if (thrown instanceof NotHttpError) return true;
  return types.isNativeError(thrown) && ['TypeError', 'ReferenceError'].includes(thrown.name);
}
