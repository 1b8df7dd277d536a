import { type Headers, noHeaders, toHeaders } from './headers.js';

/** Checks callers' headers as {@link toHeaders} does, and gives the same object again while they stay the same. */
export class HeaderMemory {
  private known: Headers = noHeaders;
  private count = 0;

  /** Throws MessageInvalidError. */
  check(given: Readonly<Record<string, unknown>> | undefined): Headers {
    if (given === undefined) return noHeaders;
    if (this.isKnown(given)) return this.known;
    const headers = toHeaders(given);
    this.known = headers;
    this.count = Object.keys(headers).length;
    return headers;
  }

  private isKnown(given: Readonly<Record<string, unknown>>): boolean {
    let count = 0;
    for (const name in given) {
      const value = given[name];
      if (typeof value !== 'string' || this.known[name] !== value) return false;
      count++;
    }
    return count === this.count && count > 0;
  }
}
