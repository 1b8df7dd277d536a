import { type Headers, noHeaders, toHeaders } from '../../message/headers.js';

/** Headers of a caller, by lower-case names; none where they are at fault, which whoever sends them tells. */
export function callerHeaders(given: Readonly<Record<string, string>> | undefined): Headers {
  try {
    return toHeaders(given);
  } catch {
    return noHeaders;
  }
}
