import { PipesConsumer } from '@nestjs/core/pipes/pipes-consumer.js';
import { isFilterFault } from '../errors/filter-fault.js';
import { PayloadInvalidError, unrecoverably } from '../errors/handler.errors.js';
import { isError } from '../errors/is-error.js';
import { payloadProblems } from '../errors/payload-problems.js';
import { wrapOnce } from './wrap-once.js';

/** What pipes have thrown, with the part of the payload that they looked at; undefined for the whole. */
const thrownByPipes = new WeakMap<object, string | undefined>();

/**
 * From now on it is known of an error whether a pipe threw it: an exception 400 of a handler may be another one tomorrow,
 * one of a pipe will not. Nest tells neither filters nor strategies, so the one method that runs the pipes is wrapped.
 */
export function notePipeFailures(): void {
  wrapOnce(PipesConsumer.prototype, 'apply', (apply) => {
    const notingApply: typeof apply = async function (this: PipesConsumer, ...args) {
      try {
        return await apply.apply(this, args);
      } catch (error) {
        const part = args[1]?.data;
        if (typeof error === 'object' && error !== null)
          thrownByPipes.set(error, typeof part === 'string' ? part : undefined);
        throw error;
      }
    };
    return notingApply;
  });
}

/** The error of a payload that a pipe refused, with what is wrong; undefined where `error` is none of a validating pipe. */
export function payloadRefusal(error: unknown): PayloadInvalidError | undefined {
  if (!thrownByPipes.has(error as object)) return undefined;
  const problems = payloadProblems(error);
  const part = thrownByPipes.get(error as object);
  const told = part === undefined ? problems : problems?.map((problem) => `${part}: ${problem}`);
  return told && new PayloadInvalidError(told, { cause: error });
}

/**
 * What a handler has failed with for good: `error`, or an Error that a filter threw instead on purpose. A payload that a
 * pipe refused is not worth another attempt, whatever a filter makes of that.
 */
export function decisiveFailure(error: unknown, thrown: unknown): unknown {
  const refusal = payloadRefusal(error);
  const replaced = thrown !== error && isError(thrown) && !isFilterFault(thrown);
  if (!replaced) return refusal ?? error;
  return refusal ? unrecoverably(thrown) : thrown;
}
