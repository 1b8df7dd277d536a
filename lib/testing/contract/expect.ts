import assert from 'node:assert/strict';
import { type DiscoBusErrorCode, isDiscoBusError } from '../../errors/disco-bus-error.js';

/** Fails unless `promise` rejects with an error of this package that carries `code`. */
export async function expectRejection(promise: Promise<unknown>, code: DiscoBusErrorCode): Promise<void> {
  const outcome = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
  const told = outcome instanceof Error ? `${outcome.name}: ${outcome.message}` : String(outcome);
  assert.ok(isDiscoBusError(outcome, code), `expected a rejection with ${code}, got: ${told}`);
}

/** Fails unless `actual` holds every one of `expected` once and nothing else, in any order. */
export function expectOnceEach(actual: readonly string[], expected: readonly string[], what: string): void {
  expectAll(actual, expected, what);
  const counts = new Map<string, number>();
  for (const text of actual) counts.set(text, (counts.get(text) ?? 0) + 1);
  const repeated = [...counts].filter(([, count]) => count > 1).map(([text, count]) => `${text} ×${count}`);
  assert.ok(repeated.length === 0, `${what}: repeated ${sample(repeated)}`);
}

/** Fails unless `actual` holds every one of `expected`, perhaps repeatedly, and nothing else, in any order. */
export function expectAll(actual: readonly string[], expected: readonly string[], what: string): void {
  const [arrived, wanted] = [new Set(actual), new Set(expected)];
  const missing = expected.filter((text) => !arrived.has(text));
  const foreign = actual.filter((text) => !wanted.has(text));
  assert.ok(missing.length === 0, `${what}: missing ${sample(missing)}`);
  assert.ok(foreign.length === 0, `${what}: not expected ${sample(foreign)}`);
}

/** Fails unless both hold the same in the same order. */
export function expectInOrder(actual: readonly string[], expected: readonly string[], what: string): void {
  const at = expected.findIndex((text, index) => actual[index] !== text);
  assert.ok(at < 0, `${what}: at place ${at} expected ${expected[at]}, got ${actual[at]}`);
  assert.equal(actual.length, expected.length, `${what}: more than expected`);
}

function sample(texts: readonly string[]): string {
  return `${texts.length} of them: ${texts.slice(0, 5).join(', ')}`;
}
