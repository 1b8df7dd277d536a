import type { Headers } from '../message/headers.js';

/** Carries the version of a message's payload; absent of version 1. */
export const VERSION_HEADER = 'x-version';

/** The version that a message says it has: undefined where it says nothing that is one. */
export function versionOf(headers: Headers): number | undefined {
  const said = headers[VERSION_HEADER];
  if (said === undefined) return 1;
  return /^[1-9]\d{0,8}$/.test(said) ? Number(said) : undefined;
}
